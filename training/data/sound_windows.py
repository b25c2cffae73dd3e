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


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowRule:
    """How a window is cut.

    Raises:
        ValueError: if the window is shorter than 0.2 s or longer than 30 s.
    """

    length_s: float = 2.0
    """Length of the window, centred on the segment; a longer segment loses its ends (paper: 2 s)."""
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
    start_s = (segment.start_s + segment.stop_s - rule.length_s) / 2
    samples = read_sound(segment.path, start_s, start_s + rule.length_s)
    if rule.padding is Padding.ZEROS:
        times_s = start_s + np.arange(samples.size) / MODEL_SAMPLE_RATE_HZ
        samples[(times_s < segment.start_s) | (times_s >= segment.stop_s)] = 0.0
    return AudioWindow(samples=samples, start_ns=round(start_s * 1e9))
