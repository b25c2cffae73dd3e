"""Pictures and sound of a video file on one timeline.

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

import av
import numpy as np
from av.stream import Disposition

from cs3_model.types import UInt8Image

NS_PER_S = 1_000_000_000
_GAP_TOLERANCE_S = Fraction(5, 1000)
"""Containers round times to milliseconds or worse; only more than this is a hole in the sound."""
_SEEK_MARGIN_S = 1
"""Decoders need a run-up before the first exact sample."""
_LOSSLESS = {"s16": ("s16", "S16LE"), "s32": ("s32", "S32LE")}
_FLOAT = ("flt", "F32LE")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """One decoded picture, upright."""

    time_ns: int
    image: UInt8Image
    """RGB, uint8 [H, W, 3]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SoundBlock:
    """Consecutive samples, exactly as decoded."""

    time_ns: int
    """Time of the first sample."""
    end_ns: int
    """Time of the sample after the last one."""
    data: bytes
    """Interleaved, in the encoding of `VideoFile`."""


class VideoFile:
    """A video with sound.

    Raises:
        ValueError: if the file cannot be read, or has no pictures or no sound.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as container:
            pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not pictures:
                raise ValueError(f"{path} has no pictures, only sound: collisions are shown in pictures")
            if not container.streams.audio:
                raise ValueError(f"{path} has no sound: collisions are found by their sound")
            video, audio = pictures[0], container.streams.audio[0]
            starts_s = [s.start_time * s.time_base for s in (video, audio) if s.start_time is not None]
            self._zero_s = min(starts_s, default=Fraction(0))
            self._video_index = video.index
            self._frame_s = 1 / Fraction(video.average_rate or 30)
            self.duration_s = float(Fraction(container.duration or 0, av.time_base))
            """Length that the container states; 0 where it states none."""
            self.sample_rate_hz = audio.rate
            self.channels = audio.channels
            self._packed_format, self.encoding = _LOSSLESS.get(audio.format.packed.name, _FLOAT)

    def pictures(self, start_s: float, stop_s: float) -> Iterator[Picture]:
        """Yields the pictures with start_s <= time < stop_s, in order.

        Raises:
            ValueError: if the file turns out to be damaged.
        """
        with self._open() as container:
            self._seek(container, start_s)
            time_s = Fraction(0)
            for frame in container.decode(container.streams[self._video_index]):
                # Raw streams have no times: their pictures follow each other at the nominal rate.
                time_s = time_s + self._frame_s if frame.pts is None else frame.pts * frame.time_base - self._zero_s
                if time_s >= stop_s:
                    return
                if time_s >= start_s:
                    upright = np.rot90(frame.to_ndarray(format="rgb24"), k=frame.rotation // 90)
                    yield Picture(time_ns=round(time_s * NS_PER_S), image=np.ascontiguousarray(upright))

    def sound(self, start_s: float, stop_s: float, block_s: float) -> Iterator[SoundBlock]:
        """Yields all samples with start_s <= time < stop_s in blocks of `block_s`, in order.

        A block is shorter before a hole in the sound and at the end. Samples that the container has twice come once.

        Raises:
            ValueError: if the file turns out to be damaged.
        """
        size = max(1, round(block_s * self.sample_rate_hz))
        begin, pending = 0, None
        for index, samples in self._samples(start_s, stop_s):
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

    def _samples(self, start_s: float, stop_s: float) -> Iterator[tuple[int, np.ndarray]]:
        """Yields runs of samples [T, C] with the index of their first one, counted from time zero."""
        rate_hz = self.sample_rate_hz
        tolerance = round(_GAP_TOLERANCE_S * rate_hz)
        due, stop, running = math.ceil(start_s * rate_hz), stop_s * rate_hz, False
        with self._open() as container:
            self._seek(container, start_s)
            stream = container.streams.audio[0]
            packer = av.AudioResampler(format=self._packed_format, layout=stream.layout, rate=rate_hz)
            for packed in (packed for frame in container.decode(stream) for packed in packer.resample(frame)):
                samples = packed.to_ndarray().reshape(-1, self.channels)
                index = due if packed.pts is None else round((packed.pts * packed.time_base - self._zero_s) * rate_hz)
                if running and abs(index - due) <= tolerance:
                    index = due
                if index >= stop:
                    return
                # Skipped: the run-up before the start, and what the container has twice.
                wanted = samples[max(0, due - index) : math.ceil(min(stop - index, len(samples)))]
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
            with av.open(str(self._path)) as container:
                yield container
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{self._path} cannot be read as a video: {error.strerror}") from error

    def _seek(self, container: av.container.InputContainer, start_s: float) -> None:
        if start_s > _SEEK_MARGIN_S:
            container.seek(int((start_s - _SEEK_MARGIN_S + self._zero_s) * av.time_base))
