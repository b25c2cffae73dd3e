"""The audio window that a model hears for an annotated segment."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioWindow
from training.data.clip_media import read_sound
from training.data.samples import SoundSegment


class Padding(str, enum.Enum):
    """What fills the window around a segment that is shorter than it."""

    CONTEXT = "context"
    """The real sound before and after. The paper does not say; 70 % of EPIC-CS3 segments are shorter than a second."""
    ZEROS = "zeros"
    """Silence."""


class WindowPlace(str, enum.Enum):
    """Where the window of a segment lies. All are the same for segments that are shorter than it, but `peak`.

    The paper says only "2 s". In its training, picture and sound come from one stretch: a picture that belongs to
    another part of a long segment than the sound contradicts that, so `picture` is the default.
    """

    PICTURE = "picture"
    """Around the picture's time, but inside the segment; around the segment's middle where no time is known. With
    `segment`, 25 of the 614 validation pictures of EPIC-CS3 and 68 of the 528 of Ego4D-CS3 lie outside the sound."""
    SEGMENT = "segment"
    """Around the middle of the segment."""
    PEAK = "peak"
    """Around the loudest sample of the segment: what the paper does with the training samples of Ego4D-CS3."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowRule:
    """How a window is cut.

    Raises:
        ValueError: if the window is shorter than 0.2 s or longer than 30 s.
    """

    length_s: float = 2.0
    """Length of the window (paper: 2 s)."""
    place: WindowPlace = WindowPlace.PICTURE
    """Where it lies."""
    padding: Padding = Padding.CONTEXT
    """What fills it around a shorter segment."""

    def __post_init__(self) -> None:
        if not 0.2 <= self.length_s <= 30.0:
            raise ValueError(f"length_s must be in [0.2, 30] seconds, got {self.length_s}")


def read_window(segment: SoundSegment, rule: WindowRule | None = None) -> AudioWindow:
    """Reads the window around a segment; zeros where the file has no sound.

    Raises:
        SampleError: if the file is missing or has no sound there.
    """
    rule = rule or WindowRule()
    start_s = _centre_s(segment, rule) - rule.length_s / 2
    samples = read_sound(segment.path, start_s, start_s + rule.length_s)
    if rule.padding is Padding.ZEROS:
        times_s = start_s + np.arange(samples.size) / MODEL_SAMPLE_RATE_HZ
        samples[(times_s < segment.start_s) | (times_s >= segment.stop_s)] = 0.0
    return AudioWindow(samples=samples, start_ns=round(start_s * 1e9))


def loudest_s(segment: SoundSegment) -> float:
    """Time of the loudest sample of a segment, seconds from the start of the file.

    Raises:
        SampleError: if the file is missing or has no sound there.
    """
    samples = read_sound(segment.path, segment.start_s, segment.stop_s)
    return segment.start_s + int(np.abs(samples).argmax()) / MODEL_SAMPLE_RATE_HZ


def _centre_s(segment: SoundSegment, rule: WindowRule) -> float:
    middle_s, free_s = (segment.start_s + segment.stop_s) / 2, (segment.duration_s - rule.length_s) / 2
    if rule.place is WindowPlace.PEAK and segment.duration_s > 0:
        return loudest_s(segment)
    if rule.place is WindowPlace.PICTURE and segment.picture_s is not None and free_s > 0:
        return min(max(segment.picture_s, middle_s - free_s), middle_s + free_s)
    return middle_s
