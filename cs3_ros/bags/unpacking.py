"""Unpacks what is compressed in bags, up to a ceiling: a few kilobytes may unpack to a full disk.

rosbags unpacks without one. Its chunks are unpacked by functions of a table, which are exchanged for those of here;
files and messages that are compressed by themselves are unpacked here before it sees them.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import lz4.frame
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_UNPACKED_BYTES = 2**29
"""One message, or one chunk of an MCAP, which the recorder closes at 0.8 MB or after one larger message. A raw picture
of `MAX_PIXELS` pixels has 160 MB."""
_RESERVED_DISK_BYTES = 2**30
"""Stays free on the disk that bags are unpacked to."""
_BLOCK_BYTES = 2**20


class UnpackingError(ValueError):
    """Compressed data are damaged, or unpack to more than is allowed."""


def unpack(compression: str, data: bytes) -> bytes:
    """Unpacks data that may be cut, as far as they go.

    Args:
        compression: "zstd", "lz4", or anything else for data that are not compressed.
        data: The compressed bytes.

    Raises:
        UnpackingError: if they are damaged inside, or more than `MAX_UNPACKED_BYTES`.
    """
    unpackers = {"zstd": zstd.ZstdDecompressor, "lz4": lz4.frame.LZ4FrameDecompressor}
    if compression not in unpackers:
        return data
    unpacker = unpackers[compression]()
    try:
        unpacked = unpacker.decompress(data, MAX_UNPACKED_BYTES)
    except (zstd.ZstdError, RuntimeError) as error:
        raise UnpackingError(f"compressed data are damaged: {error}") from error
    if not (unpacker.eof or unpacker.needs_input):
        raise UnpackingError(f"{len(data)} bytes unpack to more than {MAX_UNPACKED_BYTES // 2**20} MiB")
    return unpacked


def unpack_message(data: bytes) -> bytes:
    """Unpacks one whole message, zstd.

    Raises:
        UnpackingError: if it is cut, damaged, or more than `MAX_UNPACKED_BYTES`.
    """
    unpacker = zstd.ZstdDecompressor()
    try:
        unpacked = unpacker.decompress(data, MAX_UNPACKED_BYTES)
    except zstd.ZstdError as error:
        raise UnpackingError(f"a compressed message is damaged: {error}") from error
    if not unpacker.eof:
        raise UnpackingError("a compressed message is cut, or unpacks to too much")
    return unpacked


def unpack_file(source: Path, target: Path) -> bool:
    """Unpacks a zstd file as far as it goes; returns whether that was to its end.

    Raises:
        UnpackingError: if the disk has no room for it; nothing is left of the target then.
    """
    unpacker, is_whole = zstd.ZstdDecompressor(), False
    with source.open("rb") as packed, target.open("wb") as unpacked:
        try:
            while True:
                if unpacker.eof:  # a file may be several frames, one after the other
                    packed.seek(-len(unpacker.unused_data), io.SEEK_CUR)
                    unpacker = zstd.ZstdDecompressor()
                data = packed.read(_BLOCK_BYTES) if unpacker.needs_input else b""
                if unpacker.needs_input and not data:
                    break
                if shutil.disk_usage(target.parent).free < _RESERVED_DISK_BYTES:
                    target.unlink()
                    raise UnpackingError(f"{source.name} does not fit on the disk when unpacked: set TMPDIR to another")
                unpacked.write(unpacker.decompress(data, _BLOCK_BYTES))
                is_whole = unpacker.eof
        except zstd.ZstdError:
            return False
    return is_whole


def _exactly(compression: str) -> Callable[[bytes, int], bytes]:
    return lambda data, _: unpack(compression, data)


DECOMPRESSORS.update({compression: _exactly(compression) for compression in ("zstd", "lz4")})
