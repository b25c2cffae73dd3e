"""What is compressed unpacks up to a ceiling, and no further."""

from __future__ import annotations

import lz4.frame
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from cs3_ros.bags import unpacking
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.bags.unpacking import UnpackingError, unpack, unpack_file, unpack_message, zstd
from tests.ros.replay.recordings import write_recording

pytestmark = pytest.mark.ros

ZEROS = bytes(2**20)


@pytest.fixture
def small_ceiling(monkeypatch):
    """1 MiB less one byte, so that a test need not make a gigabyte."""
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", len(ZEROS) - 1)


@pytest.mark.parametrize(("name", "pack"), [("zstd", zstd.compress), ("lz4", lz4.frame.compress)])
def test_what_fits_is_unpacked_and_what_does_not_is_refused(small_ceiling, name, pack):
    assert unpack(name, pack(ZEROS[1:])) == ZEROS[1:]
    for unpacker in (lambda data: unpack(name, data), lambda data: DECOMPRESSORS[name](data, len(ZEROS))):
        with pytest.raises(UnpackingError, match="unpack to more than"):
            unpacker(pack(ZEROS))


def test_a_cut_chunk_gives_its_beginning_and_a_cut_message_nothing():
    packed = zstd.compress(bytes(range(256)) * 4096)

    assert bytes(range(256)).startswith(unpack("zstd", packed[:200])[:256])
    with pytest.raises(UnpackingError, match="cut"):
        unpack_message(packed[:-4])
    assert unpack_message(packed) == bytes(range(256)) * 4096


def test_a_message_beyond_the_ceiling_is_refused(small_ceiling):
    with pytest.raises(UnpackingError, match="too much"):
        unpack_message(zstd.compress(ZEROS))


def test_a_file_of_several_frames_is_unpacked_whole(tmp_path):
    (tmp_path / "packed").write_bytes(zstd.compress(b"one") + zstd.compress(b"two"))

    assert unpack_file(tmp_path / "packed", tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes() == b"onetwo"


@pytest.mark.parametrize("kept", [0, 5, -1])
def test_of_a_cut_file_the_beginning_is_unpacked(tmp_path, kept):
    packed = zstd.compress(ZEROS)
    (tmp_path / "packed").write_bytes(packed[:kept])

    assert not unpack_file(tmp_path / "packed", tmp_path / "plain")
    assert ZEROS.startswith((tmp_path / "plain").read_bytes())


def test_a_file_that_would_fill_the_disk_is_refused_and_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "_RESERVED_DISK_BYTES", 2**62)
    (tmp_path / "packed").write_bytes(zstd.compress(ZEROS))

    with pytest.raises(UnpackingError, match="does not fit on the disk"):
        unpack_file(tmp_path / "packed", tmp_path / "plain")
    assert not (tmp_path / "plain").exists()


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("compression", [CompressionMode.MESSAGE, CompressionMode.FILE, CompressionMode.STORAGE])
def test_a_bag_that_unpacks_to_too_much_is_said_to(tmp_path, monkeypatch, storage, compression):
    if storage is StoragePlugin.SQLITE3 and compression is CompressionMode.STORAGE:
        pytest.skip("sqlite does not compress")
    path = write_recording(tmp_path / "bag", storage=storage, compression=compression)
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 100)
    monkeypatch.setattr(unpacking, "_RESERVED_DISK_BYTES", 2**62)
    try:
        with RecordedBag(path) as bag:
            count = sum(1 for _ in bag.messages(list(bag.topics)))
            assert count < 175 and bag.losses
    except ValueError as error:
        assert "no message that can be read" in str(error) or "does not fit" in str(error)
