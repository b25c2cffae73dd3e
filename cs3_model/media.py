"""Pictures and sound of a media file on one timeline: the only place that decodes them.

Times count from the earliest picture or sample of the file, as players and audio editors show them. The offset between
picture and sound is that of the container, whatever the numbers it starts at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from cs3_model.types import Float32Array, UInt8Image

NS_PER_S = 1_000_000_000
END_NS = 2**63 - 1
"""A time after the end of every file."""
_GAP_TOLERANCE_S = Fraction(5, 1000)
"""Containers round times to milliseconds or worse; only more than this is a hole in the sound."""
_SEEK_MARGIN_S = 1
"""Decoders need a run-up before the first exact sample."""
_LOSSLESS = {"s16": ("s16", "S16LE"), "s32": ("s32", "S32LE")}
_FLOAT = ("flt", "F32LE")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """One decoded picture."""

    time_ns: int
    frame: av.VideoFrame
    """As the decoder gave it."""

    @property
    def image(self) -> UInt8Image:
        """RGB, uint8 [H, W, 3], upright; converted at each access, so that skipped pictures cost nothing."""
        upright = np.rot90(self.frame.to_ndarray(format="rgb24"), k=self.frame.rotation // 90)
        return np.ascontiguousarray(upright)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SoundBlock:
    """Consecutive samples, exactly as decoded."""

    time_ns: int
    """Time of the first sample."""
    end_ns: int
    """Time of the sample after the last one."""
    data: bytes
    """Interleaved, in the encoding of `MediaFile`."""


class MediaFile:
    """A file with pictures, sound or both; of several streams, the first that can be decoded.

    The file is open only while something is being read; several readings may run side by side.

    Args:
        path: Any file that FFmpeg reads.
        unreadable: How an error about the whole file begins, in the words of the caller; FFmpeg's reason follows.

    Raises:
        ValueError: if the file cannot be read.
    """

    def __init__(self, path: Path, *, unreadable: str | None = None) -> None:
        self.path = path
        self._unreadable = unreadable or f"{path} cannot be read as video or sound"
        with self._open() as container:
            # No codec context: FFmpeg has no decoder for it.
            pictures = [stream for stream in container.streams.video if stream.codec_context and not _is_cover(stream)]
            sounds = [stream for stream in container.streams.audio if stream.codec_context]
            used = (*pictures[:1], *sounds[:1])
            starts_s = [
                stream.start_time * stream.time_base
                for stream in used
                if stream.start_time is not None and stream.time_base is not None
            ]
            self._zero_s = min(starts_s, default=Fraction(0))
            self.duration_s = float(Fraction(container.duration or 0, av.time_base))
            """Length that the container states; 0 where it states none."""
            self.has_pictures = bool(pictures)
            self.has_sound = bool(sounds)
            if pictures:
                self._video_number = container.streams.video.index(pictures[0])
                self.frame_s = 1 / Fraction(pictures[0].average_rate or 30)
                """Nominal time from picture to picture; only files with pictures have it."""
            if sounds:  # only files with sound have these
                self._audio_number = container.streams.audio.index(sounds[0])
                self.sample_rate_hz = sounds[0].rate
                self.channels = sounds[0].channels
                self._packed_format, self.encoding = _LOSSLESS.get(sounds[0].format.packed.name, _FLOAT)

    def pictures(self, start_ns: int = 0, stop_ns: int = END_NS) -> Iterator[Picture]:
        """Returns the pictures with start_ns <= time < stop_ns, in order.

        Raises:
            ValueError: if the file has no pictures or, while they are read, turns out to be damaged.
        """
        if not self.has_pictures:
            raise ValueError(f"{self.path} has no pictures that can be decoded: collisions are shown in pictures")
        return self._decode_pictures(start_ns, stop_ns)

    def sound(self, block_s: float, start_ns: int = 0, stop_ns: int = END_NS) -> Iterator[SoundBlock]:
        """Returns all samples with start_ns <= time < stop_ns in blocks of `block_s` seconds, in order.

        A block is shorter before a hole in the sound and at the end. Samples that the container has twice come once.

        Raises:
            ValueError: if the file has no sound or, while it is read, turns out to be damaged.
        """
        self._require_sound()
        return self._cut_blocks(max(1, round(block_s * self.sample_rate_hz)), start_ns, stop_ns)

    def mono(self, start_ns: int = 0, stop_ns: int = END_NS) -> Iterator[tuple[int, Float32Array]]:
        """Returns the samples with start_ns <= time < stop_ns, averaged over the channels, in order.

        They come as the file has them packed; samples that the container has twice come once.

        Yields:
            Time of the first sample, nanoseconds, and float32 [T]; integer formats are scaled to [-1, 1].

        Raises:
            ValueError: if the file has no sound or, while it is read, turns out to be damaged.
        """
        self._require_sound()
        return (
            (begin * NS_PER_S // self.sample_rate_hz, _mix(samples))
            for begin, samples in self._decode_sound(start_ns, stop_ns)
        )

    def _require_sound(self) -> None:
        if not self.has_sound:
            raise ValueError(f"{self.path} has no sound that can be decoded: collisions are found by their sound")

    def _decode_pictures(self, start_ns: int, stop_ns: int) -> Iterator[Picture]:
        with self._open() as container:
            self._seek(container, start_ns)
            time_s = Fraction(0)
            for frame in container.decode(container.streams.video[self._video_number]):
                # Raw streams have no times: their pictures follow each other at the nominal rate.
                if frame.pts is None or frame.time_base is None:
                    time_s += self.frame_s
                else:
                    time_s = frame.pts * frame.time_base - self._zero_s
                time_ns = round(time_s * NS_PER_S)
                if time_ns >= stop_ns:
                    return
                if time_ns >= start_ns:
                    yield Picture(time_ns=time_ns, frame=frame)

    def _cut_blocks(self, size: int, start_ns: int, stop_ns: int) -> Iterator[SoundBlock]:
        begin, pending = 0, None
        for index, samples in self._decode_sound(start_ns, stop_ns):
            if pending is not None and index == begin + len(pending):
                pending = np.concatenate((pending, samples))
            else:
                if pending is not None and len(pending):
                    yield self._block(begin, pending)
                begin, pending = index, samples
            while len(pending) >= size:
                yield self._block(begin, pending[:size])
                begin, pending = begin + size, pending[size:]
        if pending is not None and len(pending):
            yield self._block(begin, pending)

    def _decode_sound(self, start_ns: int, stop_ns: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yields runs of samples [T, C] with the index of their first one, counted from time zero."""
        rate_hz = self.sample_rate_hz
        tolerance = round(_GAP_TOLERANCE_S * rate_hz)
        due, stop = (math.ceil(Fraction(time_ns * rate_hz, NS_PER_S)) for time_ns in (max(0, start_ns), stop_ns))
        running = False
        with self._open() as container:
            self._seek(container, start_ns)
            stream = container.streams.audio[self._audio_number]
            target = {"format": self._packed_format, "layout": stream.layout.name, "rate": rate_hz}
            for packed in _pack(container.decode(stream), target):
                samples = packed.to_ndarray().reshape(-1, self.channels)
                index = due
                if packed.pts is not None and packed.time_base is not None:
                    index = round((packed.pts * packed.time_base - self._zero_s) * rate_hz)
                if running and abs(index - due) <= tolerance:
                    index = due
                if index >= stop:
                    return
                # Skipped: the run-up before the start, and what the container has twice.
                wanted = samples[max(0, due - index) : stop - index]
                if len(wanted):
                    begin = max(index, due)
                    due, running = begin + len(wanted), True
                    yield begin, wanted

    def _block(self, begin: int, samples: np.ndarray) -> SoundBlock:
        return SoundBlock(
            time_ns=begin * NS_PER_S // self.sample_rate_hz,
            end_ns=(begin + len(samples)) * NS_PER_S // self.sample_rate_hz,
            data=samples.tobytes(),
        )

    @contextmanager
    def _open(self) -> Iterator[av.container.InputContainer]:
        try:
            with av.open(str(self.path)) as container:
                yield container
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{self._unreadable}: {error.strerror}") from error

    def _seek(self, container: av.container.InputContainer, start_ns: int) -> None:
        begin_s = Fraction(start_ns, NS_PER_S) - _SEEK_MARGIN_S
        if begin_s > 0:
            container.seek(int((begin_s + self._zero_s) * av.time_base))


def _pack(frames: Iterator[av.AudioFrame], target: dict[str, Any]) -> Iterator[av.AudioFrame]:
    """Brings all frames to one format, layout and rate: joined and broadcast files change theirs on the way."""
    packer: av.AudioResampler | None = None
    source = None
    for frame in frames:
        if packer is None or source != (frame.format.name, frame.layout.name, frame.sample_rate):
            if packer is not None:
                yield from filter(None, packer.resample(None))  # the last samples, held back by a change of rate
            source = (frame.format.name, frame.layout.name, frame.sample_rate)
            packer = av.AudioResampler(**target)
        yield from packer.resample(frame)
    if packer is not None:
        yield from filter(None, packer.resample(None))


def _mix(samples: np.ndarray) -> Float32Array:
    mono = samples.mean(axis=1, dtype=np.float32)
    return mono if samples.dtype.kind == "f" else mono / -np.float32(np.iinfo(samples.dtype).min)


def _is_cover(stream: av.video.stream.VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)
