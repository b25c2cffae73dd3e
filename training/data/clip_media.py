"""One picture, or a stretch of sound, out of a video or sound file.

Times count from the earliest picture or sample of the file, as players and audio editors show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import soxr

from cs3_model.media import NS_PER_S, MediaFile, Picture
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, Float32Array, Frame, UInt8Image
from training.data.samples import Around, SampleError

_RUN_UP_S = 1
"""The nearest picture may lie before the time, and resampling needs some context."""


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
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_picture(path: Path, time_s: float) -> UInt8Image:
    """Reads the picture of a video that is nearest to a time.

    Returns:
        RGB, uint8 [H, W, 3], upright.

    Raises:
        SampleError: if the file is missing, no video, or has ended by then.
    """
    time_ns = round(time_s * NS_PER_S)
    before: Picture | None = None
    with _open(path) as media:
        for picture in media.pictures(time_ns - _RUN_UP_S * NS_PER_S):
            if picture.time_ns >= time_ns:
                if before is None or picture.time_ns - time_ns <= time_ns - before.time_ns:
                    return picture.image
                return before.image
            before = picture
    if before is None or time_ns - before.time_ns > media.frame_s * NS_PER_S:
        raise SampleError(f"{path} has no picture at {time_s:.3f} s: it ends earlier")
    return before.image


def read_around(path: Path, time_s: float, span_s: float) -> Around:
    """Reads the pictures about `span_s` before and after the one that `read_picture` reads.

    Returns:
        The pictures with their times relative to that of the middle one; one that lies more than twice as far away, or
        that the video does not have, is None.

    Raises:
        SampleError: if the file is missing, no video, or has no picture there.
    """
    time_ns, span_ns = round(time_s * NS_PER_S), round(span_s * NS_PER_S)
    with _open(path) as media:
        near = list(media.pictures(time_ns - 4 * span_ns, time_ns + 4 * span_ns))
    if not near:
        raise SampleError(f"{path} has no picture around {time_s:.3f} s")
    middle_ns = min((item.time_ns for item in near), key=lambda other_ns: (abs(other_ns - time_ns), -other_ns))

    def nearest(pictures: list[Picture]) -> Frame | None:
        if not pictures:
            return None
        found = min(pictures, key=lambda item: abs(abs(item.time_ns - middle_ns) - span_ns))
        offset_ns = found.time_ns - middle_ns
        return Frame(image=found.image, stamp_ns=offset_ns) if abs(offset_ns) <= 2 * span_ns else None

    return Around(
        before=nearest([item for item in near if item.time_ns < middle_ns]),
        after=nearest([item for item in near if item.time_ns > middle_ns]),
    )


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
    with _open(path) as media:
        pieces = media.mono(*(round(time_s * NS_PER_S) for time_s in (start_s - _RUN_UP_S, stop_s + _RUN_UP_S)))
        rate_hz = media.sample_rate_hz
        first = round((start_s - _RUN_UP_S) * rate_hz)
        mono = np.zeros(round((stop_s + _RUN_UP_S) * rate_hz) - first, np.float32)
        found = False
        for time_ns, samples in pieces:
            begin = max(0, round(time_ns * rate_hz / NS_PER_S) - first)
            end = min(begin + samples.size, mono.size)
            mono[begin:end] = samples[: end - begin]
            found |= end > _RUN_UP_S * rate_hz and begin < mono.size - _RUN_UP_S * rate_hz
    if not found:
        raise SampleError(f"{path} has no sound between {start_s:.3f} s and {stop_s:.3f} s")
    resampled = soxr.resample(mono, rate_hz, MODEL_SAMPLE_RATE_HZ)
    begin = _RUN_UP_S * MODEL_SAMPLE_RATE_HZ
    length = round((stop_s - start_s) * MODEL_SAMPLE_RATE_HZ)
    return np.clip(resampled[begin : begin + length], -1.0, 1.0)


@contextmanager
def _open(path: Path) -> Iterator[MediaFile]:
    if not path.is_file():
        raise SampleError(f"{path} does not exist")
    try:
        yield MediaFile(path)
    except ValueError as error:
        raise SampleError(str(error)) from error
