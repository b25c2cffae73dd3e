"""Recognises compressed sound in messages that should hold samples, by its content.

MP3 and AAC are frames that begin with a sync word and state their length: where one frame ends, the next begins. In
samples a sync word turns up by chance, three that point at each other do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_KEPT_BYTES = 4_400
"""Bytes of the stream so far: three MP3 frames of the highest bitrate, 1441 bytes each."""
_CHAIN = 3
"""Frames in a row that are no chance."""
_MPEG_BYTE_3 = bytes(bitrate << 4 | low for bitrate in range(1, 15) for low in range(12))
_SYNC = re.compile(rb"(?=\xff(?:[\xe2-\xe7\xf2-\xf7\xfa-\xff][" + re.escape(_MPEG_BYTE_3) + rb"]|[\xf0\xf1\xf8\xf9]))")
"""Where a frame of MPEG audio or AAC may begin; rare in quiet samples, whose upper bytes are 0 or 255."""

_CONTAINERS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("a WAV file", lambda data: data[:4] in (b"RIFF", b"RF64", b"RIFX") and data[8:12] == b"WAVE"),
    ("FLAC", lambda data: data.startswith(b"fLaC")),
    ("Ogg (Vorbis or Opus)", lambda data: data.startswith((b"OggS\0", b"OpusHead", b"OpusTags"))),
    ("MP3", lambda data: data.startswith(b"ID3") and len(data) > 5 and data[3] in (2, 3, 4)),
    ("AIFF", lambda data: data.startswith(b"FORM") and data[8:12] in (b"AIFF", b"AIFC")),
    ("MP4 or M4A", lambda data: data[4:8] == b"ftyp"),
    ("WebM or Matroska", lambda data: data.startswith(b"\x1a\x45\xdf\xa3")),
    ("a Core Audio file", lambda data: data.startswith(b"caff\0\1")),
    ("AMR", lambda data: data.startswith(b"#!AMR")),
    ("AC-3", lambda data: data.startswith(b"\x0b\x77") and len(data) > 5 and data[5] >> 3 == 8),
)
_BITRATES_KBPS = {  # by version 1 or not, and layer
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATE_BITS = 0b1100
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


class CodedAudioDetector:
    """Looks at the blocks of one stream of sound."""

    def __init__(self) -> None:
        self._tail = b""
        self._needed = 1

    def coding(self, data: bytes) -> str | None:
        """Takes the next block; returns how the stream is coded, None if its bytes can be samples.

        At the beginning of a stream one frame that fills its message is enough: that costs at most the first block of
        samples. If that was no chance, the second message has the second frame, and so on.
        """
        for name, begins in _CONTAINERS:
            if begins(data):
                return name
        stream = (self._tail + data)[-max(_KEPT_BYTES, len(data)) :]
        if self._needed == 1:
            frame = _frame(data, 0)
            coding = frame[0] if frame and frame[1] == len(data) else _chained(stream, _CHAIN)
        else:
            coding = _chained(stream, self._needed)
        self._needed = min(self._needed + 1, _CHAIN) if coding else _CHAIN
        self._tail = stream[-_KEPT_BYTES:]
        return coding


def _chained(stream: bytes, needed: int) -> str | None:
    """The coding of which several frames follow each other anywhere in the stream."""
    for match in _SYNC.finditer(stream):
        first = _frame(stream, match.start())
        if first is not None and _num_frames(stream, match.start(), first[0], needed) >= needed:
            return first[0]
    return None


def _num_frames(stream: bytes, at: int, coding: str, needed: int) -> int:
    """Frames of one stream share version, layer and sample rate; in quiet samples, sync words that do not are common."""
    count, begin = 0, at
    while count < needed and (frame := _frame(stream, at)) is not None and frame[0] == coding:
        if stream[at + 1] != stream[begin + 1] or (stream[at + 2] ^ stream[begin + 2]) & _RATE_BITS:
            break
        count, at = count + 1, at + frame[1]
    return count


def _frame(stream: bytes, at: int) -> tuple[str, int] | None:
    """Coding and length in bytes of the frame that begins there, None if none does."""
    header = stream[at : at + 6]
    if len(header) < 6 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    if layer == 4:
        return _adts_frame(header)
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3 or header[3] & 3 == 2:
        return None
    bits_per_s = 1_000 * _BITRATES_KBPS[version == 3, layer][bitrate]
    padding, rate_hz = header[2] >> 1 & 1, _RATES_HZ[version][rate]
    if layer == 1:
        return f"MPEG audio, layer {layer}", (12 * bits_per_s // rate_hz + padding) * 4
    slots = 72 if layer == 3 and version != 3 else 144
    return "MP3" if layer == 3 else "MPEG audio, layer 2", slots * bits_per_s // rate_hz + padding


def _adts_frame(header: bytes) -> tuple[str, int] | None:
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    is_frame = header[1] >> 4 == 0xF and header[2] >> 2 & 0xF < 13 and length > 7
    return ("AAC", length) if is_frame else None
