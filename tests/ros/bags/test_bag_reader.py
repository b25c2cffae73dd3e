"""Bags in every form, whole and damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from cs3_ros.bags.bag_reader import RecordedBag
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
