"""How large a coded picture becomes, read from its header before anything is decoded.

A picture of a few hundred bytes can claim a billion pixels, and a decoder believes it.
"""

from __future__ import annotations

import struct

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"

MAX_PIXELS = 40_000_000
"""Pixels of one picture, raw or coded. 8K is 33 million; RGB of 40 million pixels takes 120 MB."""
_MAX_SCANNED_PIXELS = 16 * MAX_PIXELS
"""Pixels times scans of one JPEG. A progressive JPEG has about ten scans, and each costs a pass over all pixels."""
_MAX_SEGMENTS = 2_000
"""Segments of a JPEG before its picture; metadata of cameras take tens."""

_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def check_size(width: int, height: int) -> None:
    """Refuses a picture with too many pixels, before memory is taken for them.

    Raises:
        ValueError: if it has more than `MAX_PIXELS`.
    """
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"a picture of {width} x {height} is refused: it has more than {MAX_PIXELS // 10**6} million pixels"
        )


def check_coded_size(data: bytes) -> None:
    """Refuses a JPEG or PNG whose decoding would take too much memory or time.

    Raises:
        ValueError: if it does, or its header cannot be read.
    """
    if data.startswith(PNG_START):
        check_size(*_png_size(data))
        return
    width, height = _jpeg_size(data)
    check_size(width, height)
    num_scans = data.count(b"\xff\xda")  # inside a scan, FF is always followed by 0 or a restart
    if width * height * num_scans > _MAX_SCANNED_PIXELS:
        raise ValueError(f"a JPEG of {width} x {height} in {num_scans} scans is refused: decoding takes too long")


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise ValueError("the PNG is truncated or damaged: it does not begin with its size")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_MAX_SEGMENTS):
        at = data.find(b"\xff", at)  # decoders skip what lies between segments
        while 0 <= at < len(data) and data[at] == 0xFF:
            at += 1
        if not 0 <= at < len(data):
            break
        marker = data[at]
        at += 1
        if marker in _FRAME_HEADERS:
            if len(data) < at + 7:
                break
            height, width = struct.unpack(">HH", data[at + 3 : at + 7])
            if height and width:
                return width, height
            break
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        if marker and marker not in _STANDALONE:
            if len(data) < at + 2:
                break
            at += int.from_bytes(data[at : at + 2], "big")
    raise ValueError("the JPEG is truncated or damaged: no size before its picture")
