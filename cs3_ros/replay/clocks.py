"""Whether the sound and the images of a bag were stamped by one clock.

A message is received a moment after its stamp: images after exposure and transport, sound after its last sample. That
moment is short and alike for both, so if the two differ by much, the drivers have different clocks. What cannot be told
apart from a clock is a constant delay of one driver; the estimate contains it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cs3_ros.conversions.audio import AudioBlock
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.bag_inputs import BagInputs

SUSPICIOUS_S = 0.25
"""Delays of transport differ by less."""
_LOOKED_AT_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockOffset:
    """Between stamps and reception, at the beginning of a bag."""

    audio_delay_s: float
    """Median time from a block's last sample to its reception, seconds."""
    image_delay_s: float
    """Median time from an image's stamp to its reception, seconds."""

    @property
    def offset_s(self) -> float:
        """What to add to the stamps of the sound so that both delays are equal, seconds."""
        return self.audio_delay_s - self.image_delay_s

    @property
    def is_suspicious(self) -> bool:
        """Whether it is more than transport explains."""
        return abs(self.offset_s) > SUSPICIOUS_S


def estimate_clock_offset(inputs: BagInputs) -> ClockOffset | None:
    """Looks at the first seconds of the bag; None if they lack sound or images that can be used."""
    audio_s, image_s = [], []
    stop_ns = inputs.bag.start_ns + round(_LOOKED_AT_S * NS_PER_S)
    for time_ns, item in inputs.read():
        if time_ns > stop_ns and audio_s and image_s:
            break
        if isinstance(item, AudioBlock):
            end_ns = item.stamp_ns + len(item.samples) * NS_PER_S // item.sample_rate_hz
            audio_s.append((time_ns - end_ns) / NS_PER_S)
        else:
            image_s.append((time_ns - item.stamp_ns) / NS_PER_S)
    if not audio_s or not image_s:
        return None
    return ClockOffset(audio_delay_s=float(np.median(audio_s)), image_delay_s=float(np.median(image_s)))
