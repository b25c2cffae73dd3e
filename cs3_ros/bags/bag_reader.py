"""Bags as they are found on disks: split, compressed, without metadata, cut short.

Of a damaged bag everything up to the damage is read, and what is lost is said.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import yaml
from rosbags.interfaces import ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat, Qos
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.storage_mcap import McapReader

from cs3_ros.bags.ordering import in_order
from cs3_ros.bags.salvage import is_ros1_mcap, salvage
from cs3_ros.bags.sqlite_log import copy_with_log, has_unmerged_log
from cs3_ros.bags.unpacking import UnpackingError, unpack_file, unpack_message

STORAGE_SUFFIXES = (".mcap", ".db3")
_NUMBER_FIRST = re.compile(r"^\d+_")
_NUMBERED = re.compile(r"^\d+_rosbag2_\d{4}_")
_ZSTD_START = b"\x28\xb5\x2f\xfd"
"""How a message begins that is compressed by itself, which only the metadata say; messages in CDR begin with 0."""


@dataclass(slots=True)
class Topic:
    """One topic of a bag."""

    type_name: str
    """For instance "sensor_msgs/msg/Image"."""
    definition: MessageDefinition
    """Definition of the type, where the bag has it."""
    num_messages: int = 0
    """Readable messages, as far as is known before all are read."""
    offered_qos: list[Qos] = field(default_factory=list)
    """Qualities of service that its publishers offered, where the bag says them."""


class _BagPart(NamedTuple):
    """One file of a bag."""

    name: str
    source: Reader | Path
    """A path is read as far as it goes."""
    start_ns: int


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
        """A nanosecond after the last message."""
        self._stack = ExitStack()
        self._parts: list[_BagPart] = []

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

    def messages(
        self, topics: Collection[str], *, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[RecordedMessage]:
        """Yields the messages of some topics with start_ns <= time < stop_ns in the order in which they were received."""
        for part in self._parts:
            for topic, time_ns, data in self._read(part, topics, start_ns, stop_ns):
                if data[:4] == _ZSTD_START:
                    try:
                        data = unpack_message(data)
                    except UnpackingError as error:
                        self._lose(f"{topic}: {error}: it is left out")
                        continue
                yield RecordedMessage(topic, time_ns, data)

    def _open(self) -> None:
        """Each file for itself, so that a damaged one costs no other."""
        if self.path.suffix == ".bag":
            raise ValueError(
                f"{self.path} is a ROS 1 bag: convert it with rosbags-convert --src {self.path} --dst NEW_FOLDER"
            )
        if not is_bag(self.path):
            raise ValueError(f"{self.path} is no bag: there is no metadata.yaml, .mcap or .db3")
        paths, missing = self._storage_files()
        self.losses += [f"{name} is missing" for name in missing]
        if self.path.is_dir() and not _metadata(self.path):
            state = "cannot be read" if (self.path / "metadata.yaml").exists() else "is missing"
            self.losses.append(f"metadata.yaml {state}: the recorder was killed; ros2 bag reindex makes a new one")
        for path in paths:
            self._add(path)
        self._parts.sort(key=lambda part: part.start_ns)
        count = sum(topic.num_messages for topic in self.topics.values())
        stated = self.path.is_dir() and _metadata(self.path).get("message_count")
        if isinstance(stated, int) and count < stated and not self.losses:
            self.losses.append(f"{count} messages are there, metadata.yaml says {stated}")
        if not count:
            lost = f": {self.losses[-1]}" if self.losses else ""
            raise ValueError(f"{self.path} has no message that can be read{lost}")

    def _storage_files(self) -> tuple[list[Path], list[str]]:
        """Existing storage files, and the names of those that should be there."""
        if self.path.is_file():
            return [self.path], []
        names = _names_in_metadata(self.path) or [path.name for path in storage_files(self.path)]
        return (
            [self.path / name for name in names if (self.path / name).exists()],
            [name for name in names if not (self.path / name).exists()],
        )

    def _add(self, path: Path) -> None:
        if is_ros1_mcap(path):
            self.losses.append(f"{path.name} holds messages of ROS 1: convert the original .bag with rosbags-convert")
            return
        try:
            ready = self._made_ready(path)
        except (OSError, UnpackingError) as error:
            self.losses.append(f"{path.name} is left out: {_line(error)}")
            return
        try:
            self._add_reader(path.name, ready)
        except Exception as error:  # inside the reader, damaged bytes fail in any way
            self._add_salvaged(path.name, ready, error)

    def _made_ready(self, path: Path) -> Path:
        """A file that can be opened in place: unpacked, with what waits in SQLite's log, under a name it can take."""
        if path.suffix == ".zstd":
            unpacked = self._temporary_folder() / path.stem
            if not unpack_file(path, unpacked):
                self.losses.append(f"{path.name} is cut or damaged: what could be unpacked is used")
            return unpacked
        if path.suffix == ".db3" and has_unmerged_log(path):
            return copy_with_log(path, self._temporary_folder())
        if path.suffix == ".db3" and set(str(path)) & set("#%?"):  # rosbags puts the path into a URI as it is
            link = self._temporary_folder() / "bag.db3"
            link.symlink_to(path.resolve())
            return link
        return path

    def _temporary_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="cs3_bag_"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _add_reader(self, name: str, path: Path) -> None:
        with ExitStack() as attempt:
            reader = attempt.enter_context(Reader(path))
            if reader.message_count:
                self._extend(reader.start_time, reader.end_time)
            for connection in reader.connections:
                topic = self._count(connection.topic, connection.msgtype, connection.msgdef, connection.msgcount)
                assert isinstance(connection.ext, ConnectionExtRosbag2)
                topic.offered_qos += connection.ext.offered_qos_profiles
            self._stack.push(attempt.pop_all())
        self._parts.append(_BagPart(name, reader, reader.start_time))

    def _add_salvaged(self, name: str, path: Path, reason: Exception) -> None:
        """Reads the file once to learn what there is."""
        count, start_ns = 0, 2**63
        for topic, type_name, definition, time_ns, _ in salvage(path):
            self._count(topic, type_name, definition, 1)
            self._extend(time_ns, time_ns + 1)
            count, start_ns = count + 1, min(start_ns, time_ns)
        self.losses.append(f"{name} is cut or damaged ({_line(reason)}): its first {count} messages are used")
        self._parts.append(_BagPart(name, path, start_ns))

    def _read(
        self, part: _BagPart, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[str, int, bytes]]:
        if isinstance(part.source, Path):
            low, high = start_ns or 0, 2**63 if stop_ns is None else stop_ns
            yield from in_order(
                (message.topic, message.time_ns, message.data)
                for message in salvage(part.source)
                if message.topic in topics and low <= message.time_ns < high
            )
            return
        wanted = [connection for connection in part.source.connections if connection.topic in topics]
        num_read, num_expected = 0, sum(connection.msgcount for connection in wanted)
        # rosbags gives up where an MCAP without an index is not in order.
        storage = part.source.storage
        read, unindexed = storage.messages, False
        if isinstance(storage, McapReader) and not storage.chunks:
            read, unindexed = storage.messages_scan, True
        messages = (
            (connection.topic, time_ns, data)
            for connection, time_ns, data in (read(wanted, start_ns, stop_ns) if wanted else ())
        )
        try:
            for message in in_order(messages) if unindexed else messages:
                yield message
                num_read += 1
        except Exception as error:  # as above
            self._lose(f"{part.name} is damaged ({_line(error)}): {num_read} of {num_expected} messages are used")

    def _lose(self, loss: str) -> None:
        if loss not in self.losses:  # several passes meet the same damage
            self.losses.append(loss)

    def _count(self, topic: str, type_name: str, definition: MessageDefinition, num_messages: int) -> Topic:
        known = self.topics.setdefault(topic, Topic(type_name, definition))
        known.num_messages += num_messages
        if known.definition.format is MessageDefinitionFormat.NONE:
            known.definition = definition
        return known

    def _extend(self, start_ns: int, end_ns: int) -> None:
        self.start_ns = min(self.start_ns or start_ns, start_ns)
        self.end_ns = max(self.end_ns, end_ns)


def is_bag(path: Path) -> bool:
    """Whether something looks like a bag: its metadata or its storage may be damaged all the same.

    A folder without metadata is one if its files are named after it or numbered first, as recorders do:
    NAME_0.mcap, 0_NAME.mcap or 0_rosbag2_2026_01_02-03_04_05.mcap.
    """
    if path.is_file():
        return path.suffix in STORAGE_SUFFIXES
    if not path.is_dir():
        return False
    name = path.resolve().name
    return (path / "metadata.yaml").is_file() or any(
        _NUMBER_FIRST.sub("", entry.name).startswith(name) or _NUMBERED.match(entry.name)
        for entry in storage_files(path)
    )


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
