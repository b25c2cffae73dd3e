"""Where an onset lies, to the sample: a back-search in the level of the high-passed signal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cs3_model.onset.config import AttackConfig
from cs3_model.onset.history import SampleHistory

SILENCE_DB = -110.0
"""Level of digital silence, dBFS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """The beginning of a sound, as far as it is known when it is found."""

    onset_sample: int
    peak_db: float
    """Highest 1 ms level of the attack, dBFS."""
    background_db: float
    """Level before the attack, dBFS."""
    duration_s: float
    """From the onset to 3 dB below the peak."""

    @property
    def rise_db(self) -> float:
        """Peak above the background."""
        return self.peak_db - self.background_db


def level_db(samples: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """Level (RMS over `window` samples) at every position; entry i covers the samples [i, i + window)."""
    energy = np.cumsum(np.square(samples))
    energy[window:] -= energy[:-window].copy()
    return 10 * np.log10(np.maximum(energy[window - 1 :], 0) / window + 10 ** (SILENCE_DB / 10))


def find_attack(
    history: SampleHistory, frame_end: int, frame: int, sample_rate_hz: float, config: AttackConfig
) -> Attack | None:
    """Finds the attack whose novelty peaks in the frame that ends at position `frame_end`.

    The onset is where the level first exceeds the louder of background + `margin_db` and peak - `range_db` on the way
    up to the peak, the rule by which a person marks an onset in a waveform.

    Returns:
        The attack, or None at the very start of a stream, where there is nothing to compare with.
    """
    window = max(2, round(config.level_window_s * sample_rate_hz))
    start = max(0, frame_end - round(config.background_s * sample_rate_hz))
    samples = history.segment(start, frame_end)
    search = max(0, len(samples) - frame - 6 * window)
    level = level_db(samples, window) if len(samples) > 8 * window else np.empty(0)
    if search >= len(level):
        return None
    peak = search + int(np.argmax(level[search:]))
    peak_db = float(level[peak])
    before = level[: max(0, search - window)]
    background_db = SILENCE_DB
    if len(before) > 4 * window:
        background_db = float(np.percentile(before, config.background_percentile))
    threshold_db = min(max(background_db + config.margin_db, peak_db - config.range_db), peak_db - config.attack_db)

    earliest = max(0, peak - math.ceil(config.max_attack_s * sample_rate_hz) + 1)
    quiet_before_peak = level[earliest : peak + 1][::-1] < threshold_db
    onset = peak - _last_loud(quiet_before_peak, round(config.quiet_s * sample_rate_hz))
    attacked = onset + int(np.argmax(level[onset : peak + 1] >= peak_db - config.attack_db))
    return Attack(
        onset_sample=start + onset + window // 2,
        peak_db=peak_db,
        background_db=background_db,
        duration_s=(attacked - onset) / sample_rate_hz,
    )


def _last_loud(quiet: npt.NDArray[np.bool_], run: int) -> int:
    """Returns the index of the last loud entry before the first run of `run` quiet ones."""
    count = np.convolve(quiet, np.ones(run, dtype=int))[run - 1 : len(quiet)]
    ended = np.flatnonzero(count == run)
    loud = np.flatnonzero(~quiet[: ended[0]] if len(ended) else ~quiet)
    return int(loud[-1]) if len(loud) else 0
