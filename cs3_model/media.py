"""Pictures and sound of a media file on one timeline: the only place that decodes them.

Times count from the earliest picture or sample of the file, as players and audio editors show them. The offset between
picture and sound is that of the container, whatever the numbers it starts at.
"""

from __future__ import annotations

import logging
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

from cs3_model.sound_frames import in_one_format, settled
from cs3_model.types import Float32Array, UInt8Image

logger = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
END_NS = 2**63 - 1
"""A time after the end of every file."""
_CUT_S = 0.25
"""Sound that ends this much before the time that the container states is cut off, seconds."""
_BALANCE_S = 10
"""How much sound decides how the channels are mixed, seconds."""
_DEAD_CHANNEL = 0.01
"""A channel this weak (RMS) in relation to the loudest one holds nothing."""
_CANCELLED = 0.2
"""Channels whose average is this weak in relation to the loudest one cancel; unlike sounds leave 0.7."""
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
        sound_track: Which of several tracks of sound, counted from 0.
        unreadable: How an error about the whole file begins, in the words of the caller; FFmpeg's reason follows.

    Raises:
        ValueError: if the file cannot be read.
    """

    def __init__(self, path: Path, *, sound_track: int = 0, unreadable: str | None = None) -> None:
        self.path = path
        self.damage: list[str] = []
        """What was found missing while reading, in words; also logged as warnings."""
        self._weights: Float32Array | None = None
        self._unreadable = unreadable or f"{path} cannot be read as video or sound"
        with self._open() as container:
            # No codec context: FFmpeg has no decoder for it.
            pictures = [stream for stream in container.streams.video if stream.codec_context and not _is_cover(stream)]
            sounds = [stream for stream in container.streams.audio if stream.codec_context]
            if sounds and not 0 <= sound_track < len(sounds):
                raise ValueError(f"{path} has {len(sounds)} tracks of sound; there is no number {sound_track + 1}")
            self.num_sound_tracks = len(sounds)
            self.sound_track = sound_track
            sounds = sounds[sound_track : sound_track + 1]
            used = (*pictures[:1], *sounds)
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
                self._stated_end_s = _stated_end_s(sounds[0])
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
        """Returns the samples with start_ns <= time < stop_ns, mixed to one channel, in order.

        The mix is the average of the channels that hold anything, or the loudest one alone where they cancel. They come
        as the file has them packed; samples that the container has twice come once.

        Yields:
            Time of the first sample, nanoseconds, and float32 [T]; integer formats are scaled to [-1, 1].

        Raises:
            ValueError: if the file has no sound or, while it is read, turns out to be damaged.
        """
        self._require_sound()
        if self._weights is None:
            self._weights = self._weigh_channels()
        weights = self._weights
        return (
            (
                begin * NS_PER_S // self.sample_rate_hz,
                _scaled(samples) @ weights if self.channels > 1 else _scaled(samples)[:, 0],
            )
            for begin, samples in self._decode_sound(start_ns, stop_ns)
        )

    def is_silent(self) -> bool:
        """Whether the beginning of the sound holds nothing but digital silence."""
        return not any(samples.any() for _, samples in self._decode_sound(0, _BALANCE_S * NS_PER_S))

    def _weigh_channels(self) -> Float32Array:
        """Decides by the first seconds of the sound how its channels are mixed; [C], sums to 1."""
        equal = np.full(self.channels, 1 / self.channels, np.float32)
        if self.channels == 1:
            return equal
        heard = [_scaled(samples) for _, samples in self._decode_sound(0, _BALANCE_S * NS_PER_S)]
        power = sum((piece.astype(np.float64).T @ piece for piece in heard), np.zeros((self.channels,) * 2))
        loudest = int(np.argmax(power.diagonal()))
        if power[loudest, loudest] == 0:
            return equal
        alive = power.diagonal() > _DEAD_CHANNEL**2 * power[loudest, loudest]
        weights = alive / alive.sum()
        if weights @ power @ weights < _CANCELLED**2 * power[loudest, loudest]:
            weights = np.eye(self.channels)[loudest]
        return weights.astype(np.float32)

    def _require_sound(self) -> None:
        if not self.has_sound:
            raise ValueError(f"{self.path} has no sound that can be decoded: collisions are found by their sound")

    def _decode_pictures(self, start_ns: int, stop_ns: int) -> Iterator[Picture]:
        with self._open() as container:
            self._seek(container, start_ns)
            time_s = Fraction(0)
            for frame in self._decode(container, container.streams.video[self._video_number]):
                # Raw streams have no times: their pictures follow each other at the nominal rate.
                start_s = _start_s(frame)
                time_s = time_s + self.frame_s if start_s is None else start_s - self._zero_s
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
        due, stop = (math.ceil(Fraction(time_ns * rate_hz, NS_PER_S)) for time_ns in (max(0, start_ns), stop_ns))
        end = None
        with self._open() as container:
            self._seek(container, start_ns)
            for index, samples in settled(self._frames_of_sound(container), rate_hz):
                end = index + len(samples)
                if index >= stop:
                    return
                # Skipped: the run-up before the start, and what the container has twice.
                wanted = samples[max(0, due - index) : stop - index]
                if len(wanted):
                    begin = max(index, due)
                    due = begin + len(wanted)
                    yield begin, wanted
        if end is not None and self._stated_end_s is not None:
            end_s, stated_s = end / rate_hz, float(self._stated_end_s - self._zero_s)
            if end_s < stated_s - _CUT_S:
                self._report(f"is cut off: its sound ends at {end_s:.2f} s instead of {stated_s:.2f} s")

    def _frames_of_sound(self, container: av.container.InputContainer) -> Iterator[tuple[int | None, np.ndarray]]:
        """Yields the samples [T, C] of each frame with the index that its time says, None where it has none."""
        stream = container.streams.audio[self._audio_number]
        target = {"format": self._packed_format, "layout": stream.layout.name, "rate": self.sample_rate_hz}
        for packed in in_one_format(self._decode(container, stream), target):
            start_s = _start_s(packed)
            index = None if start_s is None else round((start_s - self._zero_s) * self.sample_rate_hz)
            yield index, packed.to_ndarray().reshape(-1, self.channels)

    def _decode(self, container: av.container.InputContainer, stream: Any) -> Iterator[Any]:
        """Yields the frames of all packets that can be decoded; reports how many cannot, if anything is missing there."""
        broken: list[av.InvalidDataError] = []
        num_decoded, num_lost, num_unclear, end_s = 0, 0, 0, None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError as error:
                broken.append(error)
                num_unclear += 1
                continue
            for frame in frames:
                if end_s is None or _start_s(frame) != end_s:
                    num_lost += num_unclear
                num_unclear, end_s = 0, _end_s(frame)
            num_decoded += len(frames)
            yield from frames
        if broken and not num_decoded:
            raise broken[0]
        is_complete = end_s is not None and self._stated_end_s is not None and end_s >= self._stated_end_s
        num_lost += 0 if is_complete else num_unclear
        if num_lost:
            kind = "sound" if stream.type == "audio" else "pictures"
            self._report(f"is damaged: {num_lost} packets of its {kind} cannot be decoded and are left out")

    def _report(self, what: str) -> None:
        if what not in self.damage:
            self.damage.append(what)
            logger.warning("%s %s", self.path, what)

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


def _start_s(frame: av.AudioFrame | av.VideoFrame) -> Fraction | None:
    """Time of a frame in its stream, None where it has none."""
    return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def _end_s(frame: av.AudioFrame | av.VideoFrame) -> Fraction | None:
    """Time at which the next samples are due; None of pictures.

    FLAC has no packets: FFmpeg finds the beginnings of its frames, and now and then one where there is none. What cannot
    be decoded between samples that follow each other is no loss.
    """
    start_s = _start_s(frame)
    if start_s is None or not isinstance(frame, av.AudioFrame):
        return None
    return start_s + Fraction(frame.samples, frame.sample_rate)


def _scaled(samples: np.ndarray) -> Float32Array:
    """Float32 samples; integers are scaled to [-1, 1]."""
    floats = samples.astype(np.float32, copy=False)
    return floats if samples.dtype.kind == "f" else floats / -np.float32(np.iinfo(samples.dtype).min)


def _stated_end_s(stream: av.audio.stream.AudioStream) -> Fraction | None:
    """Returns the time at which the container says that a stream ends, None where it does not say."""
    if stream.duration is not None and stream.time_base is not None:
        return (stream.start_time or 0) * stream.time_base + stream.duration * stream.time_base
    clock = stream.metadata.get("DURATION", "").split(":")  # Matroska
    try:
        hours, minutes, seconds = (Fraction(part) for part in clock)
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def _is_cover(stream: av.video.stream.VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)
