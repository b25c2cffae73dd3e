"""Whether the sound and the images of a bag were stamped by one clock.

A message is received a moment after its stamp: images after exposure and transport, sound after its last sample. That
moment is short and alike for both, so if the two differ by much, the drivers have different clocks; if the difference
grows or shrinks steadily, the clocks run at different rates. What cannot be told apart from a clock is a constant delay
of one driver; the estimate contains it.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from cs3_model.types import AudioBlock
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.reading.bag_inputs import BagInputs

SUSPICIOUS_S = 0.25
"""Delays of transport differ by less."""
SUSPICIOUS_DRIFT_S = 0.05
"""An offset that moves by more finds the wrong image."""
_LOOKED_AT_S = 10.0
_SHORTEST_S = 60.0
"""Over less, a rate cannot be told from the jitter of the transport."""
_MOST_SPANS = 500
"""The fit compares all pairs."""
_FASTEST_PPM = 1000.0
"""Crystals differ by some tens; what is faster is a clock that was set, in one jump or more."""

Delays = NDArray[np.float64]
"""[N, 2]: when a message was received, seconds since the beginning, and how long after its stamp, seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockDrift:
    """How the offset moves from the beginning of a bag to its end."""

    ppm: float
    """Microseconds per second; positive where the clock of the sound is slow."""
    span_s: float
    """How long the bag is, seconds."""

    @property
    def total_s(self) -> float:
        """From the beginning to the end, seconds."""
        return 1e-6 * self.ppm * self.span_s

    @property
    def is_suspicious(self) -> bool:
        """Whether it is more than images and sound may be apart."""
        return abs(self.total_s) > SUSPICIOUS_DRIFT_S


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockOffset:
    """What to add to the stamps of the sound, so that they are on the clock of the images."""

    offset_s: float
    """At the beginning, seconds."""
    drift: ClockDrift | None
    """How it moves; None where the bag is too short to tell, or a clock was set."""

    @property
    def is_suspicious(self) -> bool:
        """Whether it is more than transport explains."""
        return abs(self.offset_s) > SUSPICIOUS_S


def estimate_clock_offset(inputs: BagInputs) -> ClockOffset | None:
    """Reads a bag once; None if it lacks sound or images that can be used."""
    audio, images = array("d"), array("d")
    for time_ns, item in inputs.read():
        delays, length_ns = images, 0
        if isinstance(item, AudioBlock):
            delays, length_ns = audio, len(item.samples) * NS_PER_S // item.sample_rate_hz
        delay_ns = time_ns - item.stamp_ns - length_ns
        delays.extend(((time_ns - inputs.bag.start_ns) / NS_PER_S, delay_ns / NS_PER_S))
    if not audio or not images:
        return None
    return compare_delays(*(np.array(delays).reshape(-1, 2) for delays in (audio, images)))


def compare_delays(audio: Delays, images: Delays) -> ClockOffset:
    """Estimates offset and drift from the delays of all messages, at least one of each.

    The offset is the difference of the medians of the first ten seconds. The drift is the Theil-Sen slope (the median
    of the slopes of all pairs) through the differences of the medians of every second, or of longer spans in long bags:
    neither jitter nor some seconds of congestion move it.

    Args:
        audio: Of the blocks of sound.
        images: Of the images.
    """
    begin_s = [np.median(delays[delays[:, 0] <= delays[0, 0] + _LOOKED_AT_S, 1]) for delays in (audio, images)]
    return ClockOffset(offset_s=float(begin_s[0] - begin_s[1]), drift=_drift(audio, images))


def _drift(audio: Delays, images: Delays) -> ClockDrift | None:
    both = np.concatenate((audio[:, 0], images[:, 0]))
    duration_s = float(np.ptp(both))
    span_s = max(1.0, duration_s / _MOST_SPANS)
    audio_s, image_s = _medians(audio, span_s), _medians(images, span_s)
    spans = sorted(audio_s.keys() & image_s.keys())
    if not spans or (spans[-1] - spans[0]) * span_s < _SHORTEST_S:
        return None
    slope = theilslopes([audio_s[span] - image_s[span] for span in spans], span_s * np.array(spans)).slope
    return ClockDrift(ppm=1e6 * float(slope), span_s=duration_s) if abs(slope) < 1e-6 * _FASTEST_PPM else None


def _medians(delays: Delays, span_s: float) -> Mapping[int, float]:
    """The median delay of every span of time in which something was received."""
    spans = (delays[:, 0] // span_s).astype(int)
    order = np.argsort(spans, kind="stable")
    numbers, starts = np.unique(spans[order], return_index=True)
    parts = np.split(delays[order, 1], starts[1:])
    return {int(number): float(np.median(part)) for number, part in zip(numbers, parts, strict=True)}
