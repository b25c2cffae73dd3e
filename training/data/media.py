"""One picture, or a stretch of sound, out of a video or sound file.

Times count from the earliest picture or sample of the file, as players and audio editors show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import soxr

from cs3_model.types import MODEL_SAMPLE_RATE_HZ, Float32Array, UInt8Image
from training.samples import SampleError

_RUN_UP_S = 1
"""Decoders need some time before the first exact sample, and resampling some context."""


def read_image(path: Path) -> UInt8Image:
    """Reads an image file.

    Returns:
        RGB, uint8 [H, W, 3].

    Raises:
        SampleError: if the file is missing or no image.
    """
    if not path.is_file():
        raise SampleError(f"{path} does not exist")
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SampleError(f"{path} is not an image that OpenCV can read")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def read_picture(path: Path, time_s: float) -> UInt8Image:
    """Reads the picture of a video that is nearest to a time.

    Returns:
        RGB, uint8 [H, W, 3], upright.

    Raises:
        SampleError: if the file is missing, no video, or has ended by then.
    """
    with _open(path) as container:
        if not container.streams.video:
            raise SampleError(f"{path} has no pictures")
        stream, zero_s = container.streams.video[0], _zero(container)
        frame_s = 1 / Fraction(stream.average_rate or 30)
        _seek(container, time_s, zero_s)
        before = None
        for frame in container.decode(stream):
            offset_s = float(frame.pts * frame.time_base - zero_s) - time_s
            if offset_s >= 0:
                nearest = frame if before is None or offset_s <= -before[0] else before[1]
                return _upright(nearest)
            before = offset_s, frame
        if before is None or -before[0] > frame_s:
            raise SampleError(f"{path} has no picture at {time_s:.3f} s: it ends earlier")
        return _upright(before[1])


def read_sound(path: Path, start_s: float, stop_s: float) -> Float32Array:
    """Reads a stretch of sound, mixed to mono, at the models' sample rate.

    Args:
        path: A video or sound file in any format of FFmpeg.
        start_s: May lie before the file's start.
        stop_s: May lie beyond the file's end.

    Returns:
        float32 [T] in [-1, 1], T = (stop_s - start_s) * 16000; zeros where the file has no sound.

    Raises:
        SampleError: if the file is missing, has no sound track, or no sound in this stretch.
    """
    with _open(path) as container:
        if not container.streams.audio:
            raise SampleError(f"{path} has no sound track")
        stream, zero_s = container.streams.audio[0], _zero(container)
        rate_hz = stream.rate
        first = round((start_s - _RUN_UP_S) * rate_hz)
        mono = np.zeros(round((stop_s + _RUN_UP_S) * rate_hz) - first, np.float32)
        found = False
        _seek(container, start_s - _RUN_UP_S, zero_s)
        planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate_hz)
        for frame in (converted for decoded in container.decode(stream) for converted in planar.resample(decoded)):
            samples = frame.to_ndarray().mean(axis=0)
            offset = round(float(frame.pts * frame.time_base - zero_s) * rate_hz) - first
            if offset >= mono.size:
                break
            begin, end = max(offset, 0), min(offset + samples.size, mono.size)
            if begin < end:
                mono[begin:end] = samples[begin - offset : end - offset]
                found |= end > _RUN_UP_S * rate_hz and begin < mono.size - _RUN_UP_S * rate_hz
    if not found:
        raise SampleError(f"{path} has no sound between {start_s:.3f} s and {stop_s:.3f} s")
    resampled = soxr.resample(mono, rate_hz, MODEL_SAMPLE_RATE_HZ)
    begin = _RUN_UP_S * MODEL_SAMPLE_RATE_HZ
    length = round((stop_s - start_s) * MODEL_SAMPLE_RATE_HZ)
    return np.clip(resampled[begin : begin + length], -1.0, 1.0)


@contextmanager
def _open(path: Path) -> Iterator[av.container.InputContainer]:
    if not path.is_file():
        raise SampleError(f"{path} does not exist")
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, OSError) as error:
        raise SampleError(f"{path} cannot be read as video or sound: {error.strerror}") from error


def _zero(container: av.container.InputContainer) -> Fraction:
    streams = (*container.streams.video, *container.streams.audio)
    return min((s.start_time * s.time_base for s in streams if s.start_time is not None), default=Fraction(0))


def _seek(container: av.container.InputContainer, time_s: float, zero_s: Fraction) -> None:
    if time_s > _RUN_UP_S:
        container.seek(int((time_s - _RUN_UP_S + zero_s) * av.time_base))


def _upright(frame: av.VideoFrame) -> UInt8Image:
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), k=frame.rotation // 90))
