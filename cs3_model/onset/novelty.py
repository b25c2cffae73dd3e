"""Spectral novelty: how much of the spectrum rises, frame by frame.

SuperFlux (Böck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013, section 3) on short
frames, with one change: the gain in front of the logarithm follows the noise floor and the recent peaks, where
SuperFlux has a constant 1. So the same threshold serves faint taps in silence and blows in a noisy kitchen.

Shapes: K frames, W samples per frame, F bins, B bands.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft

from cs3_model.onset.config import NoveltyConfig

FloatArray = npt.NDArray[np.float64]

_UNIT_SINE_MAGNITUDE = 128.0
"""Magnitude of a full-scale sine in a band: that of a 512-sample Hann frame, the scale the gains are tuned on."""

_NOVELTY_SCALE = 66.0
"""Turns the mean rise per band (decades) into the sum over the bands of the original at 44.1 kHz."""

_PROFILE_BAND_RISE = 0.15
"""Rise, in decades, from which a wide band counts as rising."""


class FrameNovelty(NamedTuple):
    """Novelty of K successive frames."""

    novelty_K: FloatArray
    rise_KB: FloatArray
    """Rise per band, decades."""


class SpectralNovelty:
    """Turns frames of the high-passed signal into novelty; keeps what it needs of earlier frames."""

    def __init__(self, sample_rate_hz: float, config: NoveltyConfig) -> None:
        self._config = config
        self.hop = max(1, round(config.hop_s * sample_rate_hz))
        self.frame = round(config.frame_s * sample_rate_hz)
        self._window_W = np.hanning(self.frame + 2)[1:-1]
        self._window_W *= 2 * _UNIT_SINE_MAGNITUDE / self._window_W.sum()
        self._fft_size = scipy.fft.next_fast_len(self.frame, real=True)
        top_hz = min(config.max_band_hz, 0.47 * sample_rate_hz)
        self._filters_FB, centres_hz = triangular_filters(
            np.fft.rfftfreq(self._fft_size, 1 / sample_rate_hz), config.bands_per_octave, config.min_band_hz, top_hz
        )
        edges_hz = np.geomspace(150.0, min(10_000.0, top_hz), 15)
        members = [(centres_hz >= low) & (centres_hz < high) for low, high in itertools.pairwise(edges_hz)]
        self._profile = np.array([member / member.sum() for member in members if member.any()])
        hop_s = self.hop / sample_rate_hz
        self._floor_rise = 10 ** (config.floor_rise_db_per_s * hop_s / 20)
        self._floor_fall = min(1.0, hop_s / config.floor_fall_s)
        self._peak_decay = 10 ** (-config.peak_decay_db_per_s * hop_s / 20)
        self._peak_lag = max(1, round(config.peak_lag_s / hop_s))
        self.reset()

    def reset(self) -> None:
        """Forgets the earlier frames and the levels."""
        self._floor_rms = -1.0
        self._peak = 0.0
        self._recent_peaks: deque[float] = deque()
        self._earlier_spectra_KB = np.empty((0, self._filters_FB.shape[1]))

    def process(self, frames_KW: FloatArray) -> FrameNovelty:
        """Computes the novelty of the next K frames, each one hop after the one before.

        The first frames after a reset have no frame to compare with; their novelty is 0.
        """
        lag = self._config.difference_frames
        spectrum_KF = np.abs(scipy.fft.rfft(frames_KW * self._window_W, self._fft_size))
        spectra = np.concatenate([self._earlier_spectra_KB, spectrum_KF @ self._filters_FB])
        self._earlier_spectra_KB = spectra[-lag:]
        gain_K = self._adapt(frames_KW)

        rise_KB = np.zeros((len(frames_KW), spectra.shape[1]))
        num_compared = len(spectra) - lag
        if num_compared > 0:
            gain = gain_K[-num_compared:, None]
            ratio = (1 + gain * spectra[lag:]) / (1 + gain * _maximum_of_three(spectra[:num_compared]))
            rise_KB[-num_compared:] = np.log10(np.maximum(ratio, 1))
        return FrameNovelty(_NOVELTY_SCALE * rise_KB.mean(1), rise_KB)

    def wideband_fraction(self, rise_B: FloatArray) -> float:
        """Share of 14 logarithmic bands between 150 Hz and 10 kHz that rise in one frame."""
        return float((self._profile @ rise_B > _PROFILE_BAND_RISE).mean())

    def _adapt(self, frames_KW: FloatArray) -> FloatArray:
        """Follows noise floor and peak; returns the gain per frame."""
        config = self._config
        rms_K = np.sqrt(np.einsum("kw,kw->k", frames_KW, frames_KW) / self.frame)
        newest = frames_KW[:, -self.hop :]
        peak_K = np.maximum(newest.max(1), -newest.min(1))
        gains = []
        floor, remembered = self._floor_rms, self._peak
        for rms, peak in zip(rms_K.tolist(), peak_K.tolist(), strict=True):
            if floor < 0:
                floor = rms
            elif rms > floor:
                floor = min(floor * self._floor_rise, rms)
            else:
                floor += (rms - floor) * self._floor_fall
            floor = max(floor, 1e-6)
            self._recent_peaks.append(peak)
            remembered *= self._peak_decay
            if len(self._recent_peaks) > self._peak_lag:
                remembered = max(remembered, self._recent_peaks.popleft())
            gains.append(
                min(config.max_gain, config.gain_over_floor / floor, config.gain_over_peak / max(remembered, 1e-9))
            )
        self._floor_rms, self._peak = floor, remembered
        return np.array(gains)


def triangular_filters(
    bins_hz: npt.NDArray[np.floating], bands_per_octave: int, min_hz: float, max_hz: float
) -> tuple[FloatArray, FloatArray]:
    """Overlapping triangular filters of height 1, spaced by a fraction of an octave around 440 Hz.

    Where the bins are wider than the spacing, as they are at low frequencies, there is one band per bin.

    Returns:
        The filters, [F, B], and the centre frequency of each, [B], Hz.
    """
    octaves = math.log2(min_hz / 440), math.log2(max_hz / 440)
    steps = np.arange(math.ceil(octaves[0] * bands_per_octave), math.floor(octaves[1] * bands_per_octave) + 1)
    grid_hz = 440 * 2 ** (steps / bands_per_octave)
    grid = np.unique(np.clip(np.round(grid_hz / bins_hz[1]).astype(int), 1, len(bins_hz) - 1))
    bins = np.arange(len(bins_hz))
    filters = [np.interp(bins, grid[i : i + 3], (0, 1, 0)) for i in range(len(grid) - 2)]
    return np.array(filters).T, bins_hz[grid[1:-1]]


def _maximum_of_three(spectra_KB: FloatArray) -> FloatArray:
    """Maximum over each band and its two neighbours."""
    widened = spectra_KB.copy()
    np.maximum(widened[:, 1:], spectra_KB[:, :-1], out=widened[:, 1:])
    np.maximum(widened[:, :-1], spectra_KB[:, 1:], out=widened[:, :-1])
    return widened
