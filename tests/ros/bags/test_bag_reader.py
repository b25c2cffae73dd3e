"""Bags in every form, whole and damaged."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.bags.bag_writer import BagWriter
from tests.ros.replay.recordings import cut, write_recording

pytestmark = pytest.mark.ros

NUM_AUDIO, NUM_IMAGES = 125, 50
FORMS = [
    (storage, compression)
    for storage in (StoragePlugin.MCAP, StoragePlugin.SQLITE3)
    for compression in (None, CompressionMode.MESSAGE, CompressionMode.FILE)
]


def read(path: Path) -> tuple[list[tuple[str, int, bytes]], list[str]]:
    with RecordedBag(path) as bag:
        return list(bag.messages({"/audio", "/image/compressed"})), bag.losses


@pytest.mark.parametrize(("storage", "compression"), FORMS)
def test_every_form_gives_the_same_messages_and_a_cut_one_its_beginning(tmp_path, storage, compression) -> None:
    plain, _ = read(write_recording(tmp_path / "plain", seconds=10.0))
    assert len(plain) == 500 + 200
    path = write_recording(tmp_path / "bag", seconds=10.0, storage=storage, compression=compression)
    assert read(path) == (plain, [])

    messages, losses = read(cut(path, 0.7))
    assert 0 < len(messages) < len(plain) and messages == plain[: len(messages)]
    assert any("cut or damaged" in loss and f"first {len(messages)} messages" in loss for loss in losses)


def test_a_bag_without_metadata_is_read_and_the_remedy_named(tmp_path) -> None:
    path = write_recording(tmp_path / "bag")
    (path / "metadata.yaml").unlink()
    messages, (loss,) = read(path)
    assert len(messages) == NUM_AUDIO + NUM_IMAGES and "ros2 bag reindex" in loss


def test_of_a_split_bag_the_parts_are_read_in_order_and_a_missing_one_is_named(tmp_path) -> None:
    first = write_recording(tmp_path / "first", seconds=1.0)
    second = write_recording(tmp_path / "second", seconds=0.5)
    metadata = yaml.safe_load((first / "metadata.yaml").read_text())
    metadata["rosbag2_bagfile_information"]["relative_file_paths"] = ["first.mcap", "lost.mcap", "second.mcap"]
    shutil.copy(second / "second.mcap", first)
    (first / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    messages, losses = read(first)
    assert losses == ["lost.mcap is missing"]
    assert messages == read(first / "first.mcap")[0] + read(second)[0]


def test_damage_in_the_middle_ends_the_reading_and_is_reported_once(tmp_path) -> None:
    path = write_recording(tmp_path / "bag", compression=CompressionMode.STORAGE, seconds=20.0, onsets_s=())
    file = path / "bag.mcap"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    file.write_bytes(data)
    with RecordedBag(path) as bag:
        count = sum(1 for _ in bag.messages({"/audio"}))
        assert count == sum(1 for _ in bag.messages({"/audio"})) < 1000
        (loss,) = bag.losses
    assert f"{count} of 1000 messages are used" in loss


@pytest.mark.parametrize("named", ["split_{}.mcap", "{}_split.mcap", "{}_rosbag2_2026_01_02-03_04_05.mcap"])
def test_parts_without_metadata_are_one_bag_in_the_order_of_their_times(tmp_path, named) -> None:
    """0, 1, 10, 11, 2, ... is how their names would sort."""
    path = tmp_path / "split"
    path.mkdir()
    for number in range(12):
        with BagWriter(tmp_path / "part") as bag:
            note = bag.typestore.types["std_msgs/msg/String"](data=str(number))
            bag.write("/note", note, (number + 1) * 10**9)
        shutil.move(tmp_path / "part" / "part.mcap", path / named.format(number))
        shutil.rmtree(tmp_path / "part")

    with RecordedBag(path) as bag:
        assert [message.time_ns // 10**9 for message in bag.messages({"/note"})] == list(range(1, 13))
        assert ["metadata.yaml is missing" in loss for loss in bag.losses] == [True]


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("name", ["run#1", "50%41b", "100%", "what?", "with space", "grün é 日本", "quote'\"", "-dash"])
def test_any_name_of_a_folder_will_do(tmp_path, storage, name) -> None:
    write_recording(tmp_path / "bag", storage=storage).rename(tmp_path / name)
    messages, losses = read(tmp_path / name)
    assert len(messages) == NUM_AUDIO + NUM_IMAGES and losses == []
    (file,) = (path for path in (tmp_path / name).iterdir() if path.suffix in (".mcap", ".db3"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    messages, losses = read(tmp_path / name)
    assert messages and "cut or damaged" in " ".join(losses)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_what_a_killed_recorder_left_in_the_log_of_sqlite_is_read(tmp_path, share) -> None:
    path = write_recording(tmp_path / "bag", storage=StoragePlugin.SQLITE3)
    expected, _ = read(path)
    leave_in_log(next(path.glob("*.db3")), share)
    (path / "metadata.yaml").unlink()
    before = {file.name: file.read_bytes() for file in path.iterdir()}

    messages, (loss,) = read(path)

    assert messages == expected and "metadata.yaml is missing" in loss
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def leave_in_log(path: Path, share: float) -> None:
    """Writes a database anew as a recorder does that dies: all but a share of its messages only in the log."""
    code = """
import os, sqlite3, sys
source, target, share = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2]), float(sys.argv[3])
target.execute("PRAGMA journal_mode=WAL"); target.execute("PRAGMA wal_autocheckpoint=0")
for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"):
    target.execute(sql)
for table in ("schema", "metadata", "topics", "message_definitions", "messages"):
    rows = source.execute(f"SELECT * FROM {table}").fetchall()
    for number, row in enumerate(rows):
        target.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
        if table == "messages" and share and number == round(share * len(rows)):
            target.commit(); target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    target.commit()
os._exit(9)
"""
    written = path.with_name("new.db3")
    subprocess.run([sys.executable, "-c", code, path, written, str(share)], check=False)
    for suffix in ("", "-wal"):
        written.with_name(f"new.db3{suffix}").replace(path.with_name(path.name + suffix))
    written.with_name("new.db3-shm").unlink()


def test_messages_out_of_order_without_an_index_cost_no_other(tmp_path) -> None:
    path = tmp_path / "bag.mcap"
    write_unindexed(path, [5, 1, 3, 2, 4])
    with RecordedBag(path) as bag:
        assert [message.time_ns for message in bag.messages({"/note"})] == [1, 2, 3, 4, 5]
        assert bag.losses == []


def test_an_mcap_of_ros_1_is_named_as_such(tmp_path) -> None:
    path = tmp_path / "old.mcap"
    write_unindexed(path, [1], profile=b"ros1")
    with pytest.raises(ValueError, match=r"holds messages of ROS 1: convert the original .bag with rosbags-convert"):
        RecordedBag(path).__enter__()


def write_unindexed(path: Path, times_ns: list[int], profile: bytes = b"ros2") -> None:
    """An MCAP without chunks and index, as streams write it (the format's specification)."""

    def string(text: bytes) -> bytes:
        return struct.pack("<I", len(text)) + text

    def record(opcode: int, body: bytes) -> bytes:
        return struct.pack("<BQ", opcode, len(body)) + body

    magic = b"\x89MCAP0\r\n"
    schema = struct.pack("<H", 1) + string(b"std_msgs/msg/String") + string(b"ros2msg") + string(b"string data")
    channel = struct.pack("<HH", 1, 1) + string(b"/note") + string(b"cdr") + struct.pack("<I", 0)
    message = b"\0\1\0\0\1\0\0\0\0"
    records = [record(0x01, string(profile) + string(b"")), record(0x03, schema), record(0x04, channel)]
    records += [record(0x05, struct.pack("<HIQQ", 1, 0, time_ns, time_ns) + message) for time_ns in times_ns]
    records.append(record(0x02, struct.pack("<QQI", 0, 0, 0)))
    path.write_bytes(magic + b"".join(records) + magic)


def test_newer_metadata_of_a_bag_that_reads_fine_are_no_damage(tmp_path) -> None:
    path = write_recording(tmp_path / "bag")
    metadata = yaml.safe_load((path / "metadata.yaml").read_text())
    metadata["rosbag2_bagfile_information"]["version"] = 10
    (path / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    messages, losses = read(path)
    assert len(messages) == NUM_AUDIO + NUM_IMAGES and losses == []


def test_fewer_messages_than_the_metadata_count_are_said(tmp_path) -> None:
    path = write_recording(tmp_path / "bag")
    metadata = yaml.safe_load((path / "metadata.yaml").read_text())
    metadata["rosbag2_bagfile_information"]["message_count"] += 5
    (path / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    assert read(path)[1] == [f"{NUM_AUDIO + NUM_IMAGES} messages are there, metadata.yaml says 180"]


def test_names_in_the_metadata_do_not_leave_the_folder(tmp_path) -> None:
    write_recording(tmp_path / "other")
    path = write_recording(tmp_path / "bag")
    metadata = yaml.safe_load((path / "metadata.yaml").read_text())
    metadata["rosbag2_bagfile_information"]["relative_file_paths"] = ["../other/other.mcap"]
    (path / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    with pytest.raises(ValueError, match=r"other.mcap is missing"):
        RecordedBag(path).__enter__()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no_bag", None, "is no bag"),
        ("old.bag", b"", "rosbags-convert"),
        ("empty.mcap", b"", "has no message that can be read"),
        ("noise.db3", b"noise" * 100, "has no message that can be read"),
    ],
)
def test_what_is_no_bag_is_refused_with_a_remedy(tmp_path, name, content, message) -> None:
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ValueError, match=message), RecordedBag(path):
        pass
