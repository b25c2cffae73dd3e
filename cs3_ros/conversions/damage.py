"""Whether a JPEG is damaged although a decoder makes a picture of it.

libjpeg, and OpenCV with it, goes on after damage: the rest of the picture is grey or displaced. FFmpeg's decoder can be
told to stop instead.
"""

from __future__ import annotations

import av

_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
_STANDARD_AC_CODES = bytes((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D))
"""Begins the usual Huffman table of luminance (JPEG standard, table K.5)."""
_ZEROS = bytes(64)
_STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}


def is_damaged_jpeg(data: bytes) -> bool:
    """Whether a JPEG is cut, has holes, or codes that cannot be; forms that FFmpeg does not know pass.

    It decodes the picture, which takes about as long as OpenCV does.
    """
    end = data.rfind(_END_OF_IMAGE)
    if end < 0 or _has_zeroed_block(data, end):
        return True
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = _STRICT
    decoder.thread_count = 1
    try:
        return not [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.InvalidDataError:
        return True
    except av.FFmpegError:  # arithmetic coding, 12 bits, rare samplings: not damage
        return False


def _has_zeroed_block(data: bytes, end: int) -> bool:
    """Whether zeros stand in the coded picture: with the usual table they mean blocks of -1 throughout, no picture."""
    scan = data.find(_START_OF_SCAN)
    return _STANDARD_AC_CODES in data[:scan] and data.find(_ZEROS, scan, end) >= 0
