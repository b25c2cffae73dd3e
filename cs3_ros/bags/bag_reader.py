"""Bags as they are found on disks: split, compressed, without metadata, cut short.

Of a damaged bag everything up to the damage is read, and what is lost is said.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import yaml
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from cs3_ros.bags.salvage import salvage
from cs3_ros.bags.unpacking import UnpackingError, unpack_file, unpack_message

STORAGE_SUFFIXES = (".mcap", ".db3")
_ZSTD_START = b"\x28\xb5\x2f\xfd"
"""How a message begins that is compressed by itself, which only the metadata say; messages in CDR begin with 0."""


@dataclass(slots=True)
class Topic:
    """One topic of a bag."""

    type_name: str
    """For instance "sensor_msgs/msg/Image"."""
    definition: MessageDefinition
    """Of the type, where the bag has it."""
    num_messages: int = 0
    """Readable messages, as far as is known before all are read."""


class RecordedMessage(NamedTuple):
    """One serialized message."""

    topic: str
    time_ns: int
    """When it was received, nanoseconds."""
    data: bytes


class RecordedBag:
    """An open bag: a folder, or one .mcap or .db3 file.

    Use it as a context manager. `losses` says, one line each, what cannot be read; damage in the middle of a file
    shows only when `messages` comes there.

    Raises:
        ValueError: if it is no bag, or not one message can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[str, Topic] = {}
        self.losses: list[str] = []
        self.start_ns = 0
        self.end_ns = 0
        self._stack = ExitStack()
        self._parts: list[Reader | Path] = []

    def __enter__(self) -> RecordedBag:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def duration_s(self) -> float:
        """From the first to the last message that can be read, seconds."""
        return (self.end_ns - self.start_ns) / 1e9

    def messages(self, topics: Collection[str]) -> Iterator[RecordedMessage]:
        """Yields the messages of some topics in the order in which they were received."""
        for part in self._parts:
            messages = self._read_salvaged(part, topics) if isinstance(part, Path) else self._read(part, topics)
            for topic, time_ns, data in messages:
                if data[:4] == _ZSTD_START:
                    try:
                        data = unpack_message(data)
                    except UnpackingError as error:
                        self._lose(f"{topic}: {error}: it is left out")
                        continue
                yield RecordedMessage(topic, time_ns, data)

    def _open(self) -> None:
        if self.path.suffix == ".bag":
            raise ValueError(
                f"{self.path} is a ROS 1 bag: convert it with rosbags-convert --src {self.path} --dst NEW_FOLDER"
            )
        if not is_bag(self.path):
            raise ValueError(f"{self.path} is no bag: there is no metadata.yaml, .mcap or .db3")
        if _metadata(self.path).get("compression_mode") in ("FILE", "file"):
            self._open_parts(None)
        else:
            try:
                self._add_reader(self.path)
            except Exception as error:  # inside the reader, damaged bytes fail in any way
                self._open_parts(error)
        if not sum(topic.num_messages for topic in self.topics.values()):
            lost = f": {self.losses[0]}" if self.losses else ""
            raise ValueError(f"{self.path} has no message that can be read{lost}")

    def _open_parts(self, error: Exception | None) -> None:
        """Each file for itself, so that a damaged one costs no other."""
        paths, missing = self._storage_files()
        self.losses += [f"{name} is missing" for name in missing]
        if not self.path.is_file() and not (self.path / "metadata.yaml").exists():
            self.losses.append("metadata.yaml is missing: the recorder was killed; ros2 bag reindex makes a new one")
        for path in paths:
            try:
                self._add_reader(path)
            except Exception as reason:
                self._add_salvaged(path, reason)
        if error is not None and not self.losses:
            self.losses.append(
                f"metadata.yaml does not fit the files ({_line(error)}): ros2 bag reindex makes a new one"
            )

    def _storage_files(self) -> tuple[list[Path], list[str]]:
        """Existing storage files in order, unpacked, and the names of those that should be there."""
        if self.path.is_file():
            return [self.path], []
        names = _names_in_metadata(self.path) or [path.name for path in storage_files(self.path)]
        there = [self.path / name for name in names if (self.path / name).exists()]
        return [self._unpacked(path) for path in there], [name for name in names if not (self.path / name).exists()]

    def _unpacked(self, path: Path) -> Path:
        if path.suffix != ".zstd":
            return path
        folder = Path(tempfile.mkdtemp(prefix="cs3_bag_"))
        self._stack.callback(shutil.rmtree, folder)
        if not unpack_file(path, folder / path.stem):
            self.losses.append(f"{path.name} is cut or damaged: what could be unpacked is used")
        return folder / path.stem

    def _add_reader(self, path: Path) -> None:
        with ExitStack() as attempt:
            reader = attempt.enter_context(Reader(path))
            # Messages that are compressed by themselves are unpacked here, up to a ceiling.
            reader.storage.metadata = reader.storage.metadata._replace(compression_mode=None)
            if reader.message_count:
                self._extend(reader.start_time, reader.end_time)
            for connection in reader.connections:
                self._count(connection.topic, connection.msgtype, connection.msgdef, connection.msgcount)
            self._stack.push(attempt.pop_all())
        self._parts.append(reader)

    def _add_salvaged(self, path: Path, reason: Exception) -> None:
        """Reads the file once to learn what there is."""
        count = 0
        for topic, type_name, definition, time_ns, _ in salvage(path):
            self._count(topic, type_name, definition, 1)
            self._extend(time_ns, time_ns)
            count += 1
        self.losses.append(f"{path.name} is cut or damaged ({_line(reason)}): its first {count} messages are used")
        self._parts.append(path)

    def _read(self, reader: Reader, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        wanted = [connection for connection in reader.connections if connection.topic in topics]
        num_read, num_expected = 0, sum(connection.msgcount for connection in wanted)
        try:
            for connection, time_ns, data in reader.messages(wanted) if wanted else ():
                yield connection.topic, time_ns, data
                num_read += 1
        except Exception as error:  # as above
            self._lose(
                f"{reader.path.name} is damaged ({_line(error)}): {num_read} of {num_expected} messages are used"
            )

    def _read_salvaged(self, path: Path, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        for topic, _, _, time_ns, data in salvage(path):
            if topic in topics:
                yield topic, time_ns, data

    def _lose(self, loss: str) -> None:
        if loss not in self.losses:  # several passes meet the same damage
            self.losses.append(loss)

    def _count(self, topic: str, type_name: str, definition: MessageDefinition, num_messages: int) -> None:
        known = self.topics.setdefault(topic, Topic(type_name, definition))
        known.num_messages += num_messages
        if known.definition.format is MessageDefinitionFormat.NONE:
            known.definition = definition

    def _extend(self, start_ns: int, end_ns: int) -> None:
        self.start_ns = min(self.start_ns or start_ns, start_ns)
        self.end_ns = max(self.end_ns, end_ns)


def is_bag(path: Path) -> bool:
    """Whether something looks like a bag: its metadata or its storage may be damaged all the same.

    A folder without metadata is one if its files are named after it, as the recorder does.
    """
    if path.is_file():
        return path.suffix in STORAGE_SUFFIXES
    if not path.is_dir():
        return False
    name = path.resolve().name
    return (path / "metadata.yaml").is_file() or any(entry.name.startswith(name) for entry in storage_files(path))


def storage_files(folder: Path) -> list[Path]:
    """Storage files in a folder, packed or not, in order."""
    return sorted(
        path for path in folder.iterdir() if path.is_file() and set(path.suffixes[-2:]) & set(STORAGE_SUFFIXES)
    )


def _names_in_metadata(folder: Path) -> list[str]:
    try:
        return [Path(name).name for name in _metadata(folder)["relative_file_paths"]]
    except (KeyError, TypeError):
        return []


def _metadata(folder: Path) -> dict[str, Any]:
    """What metadata.yaml says, nothing if it cannot be read."""
    try:
        metadata = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
        information = metadata["rosbag2_bagfile_information"]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError):
        return {}
    return information if isinstance(information, dict) else {}


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
