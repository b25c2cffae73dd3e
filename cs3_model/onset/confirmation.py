"""Whether a sound that has begun goes on as a collision does: it hits, and then it only decays.

Speech, music and rustle begin as suddenly as an impact often enough; what follows tells them apart. A vowel swells and
has a pitch, friction stays level, a glitch of the signal path is over after one sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from cs3_model.onset.attack import SILENCE_DB, Attack, level_db
from cs3_model.onset.config import ConfirmationConfig, DecayTest

FloatArray = npt.NDArray[np.float64]

_VOICE_LOW_PASS_HZ = 1200.0
_VOICE_RATE_HZ = 8000.0
_RINGING = 0.9
"""A repetition at shorter lags than a voice has, this strong in relation to that at its lags, is a ringing mode."""
_GUARD_S = 0.002
"""What is this close before the onset may belong to it, seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the sound after an onset looks like."""

    growth_db: float
    """How far the 1 ms level later exceeds the peak of the attack; negative if it never does."""
    decay_db: float
    """Peak above the last fifth of the sound heard."""
    slope_db_per_ms: float
    """Fitted slope of the level after its maximum."""
    high_decay_db: float
    """First fifth above the last fifth of the sound heard, in the band above `ConfirmationConfig.high_band_hz`."""
    voicing: float
    """Highest normalised autocorrelation at the lags of a voice, in [0, 1] about."""
    background_voicing: float
    """The same of the sound before the onset."""
    centroid_hz: float
    """Centroid of the magnitude spectrum."""
    clipped_fraction: float
    """Share of clipped samples."""
    discontinuity: float
    """Largest share of the energy of the sample differences within one jump, above their background."""
    unmuted: bool
    """Whether there was digital silence, or no sound at all yet, just before the onset."""
    voice: float
    """Highest probability of a voice from shortly before the onset to the present, in [0, 1]."""
    speech_db: float
    """How loud it was in the second before the onset, dBFS; known only where a voice is heard."""

    def doubt(self, attack: Attack) -> float:
        """Returns the probability in [0, 1] that the attack was a part of the voice: by the energy of the two."""
        return self.voice / (1 + 10 ** ((attack.peak_db - self.speech_db) / 10))


class Confirmation:
    """Judges attacks by the sound after them. Keeps no state between calls."""

    def __init__(self, sample_rate_hz: float, config: ConfirmationConfig) -> None:
        self._rate = sample_rate_hz
        self._config = config
        self._level_window = max(2, round(0.001 * sample_rate_hz))
        self._jump = max(3, round(config.discontinuity_s * sample_rate_hz))
        self._voice_step = max(1, round(sample_rate_hz / _VOICE_RATE_HZ))
        self._high_pass = scipy.signal.butter(2, config.high_band_hz, "highpass", fs=sample_rate_hz, output="sos")
        self._low_pass = scipy.signal.butter(2, _VOICE_LOW_PASS_HZ, "lowpass", fs=sample_rate_hz, output="sos")

    def accepts(self, attack: Attack, wideband_fraction: float, evidence: Evidence, test: DecayTest) -> bool:
        """Judges one attack, rising in a share of the bands at once, by how clearly the sound after it decays."""
        config = self._config
        if attack.rise_db < config.min_rise_db or attack.duration_s > config.max_attack_s:
            return False
        if evidence.unmuted:
            return False
        if evidence.discontinuity > config.max_discontinuity:
            return False
        if evidence.voice >= config.min_voice:
            return self._stands_out_of_speech(attack, evidence, test)
        clipped = evidence.clipped_fraction > config.min_clipped_fraction
        if clipped and wideband_fraction >= config.clipped_bands_fraction:
            return True
        strong = wideband_fraction >= config.wideband_fraction and attack.rise_db >= config.wideband_rise_db
        if evidence.growth_db > (config.wideband_growth_db if strong else config.max_growth_db):
            return False
        if self._is_voice(attack, evidence, test):
            return False
        if strong and evidence.decay_db >= config.wideband_decay_db:
            return True
        return (
            evidence.decay_db >= test.decay_db
            and (clipped or evidence.slope_db_per_ms <= test.slope_db_per_ms)
            and evidence.high_decay_db >= test.high_decay_db
        )

    def _stands_out_of_speech(self, attack: Attack, evidence: Evidence, test: DecayTest) -> bool:
        """Judges an attack while somebody speaks, by what plosives have not: strength, and no vowel after it."""
        config = self._config
        over_speech_db = attack.peak_db - evidence.speech_db
        rings = over_speech_db >= config.overpowering_db and evidence.growth_db < 0
        return (
            over_speech_db >= config.min_over_speech_db
            and (rings or evidence.voicing <= config.max_voicing_beside_speech)
            and evidence.growth_db <= config.max_growth_db
            and evidence.decay_db >= test.decay_db
        )

    def _is_voice(self, attack: Attack, evidence: Evidence, test: DecayTest) -> bool:
        config = self._config
        if evidence.background_voicing > config.background_voicing and attack.rise_db < config.background_voice_rise_db:
            return True
        fades = evidence.growth_db <= 0 and evidence.high_decay_db >= config.voice_high_decay_db
        if fades or evidence.decay_db >= config.voice_decay_db:
            return False
        voiced = evidence.voicing > test.max_voicing and evidence.centroid_hz < config.max_voice_centroid_hz
        strongly = evidence.voicing > config.strong_voicing and evidence.centroid_hz < config.strong_voice_centroid_hz
        return voiced or strongly

    def measure(
        self, raw: FloatArray, filtered: FloatArray, lead: int, *, voice: float, before: FloatArray
    ) -> Evidence:
        """Measures the sound after an attack.

        Args:
            raw: Samples from `lead` samples before the onset to the present, [T].
            filtered: The same, high-passed.
            lead: Number of samples before the onset, enough to settle a filter.
            voice: Highest probability of a voice around the onset.
            before: High-passed samples of the second before the onset, [T].
        """
        heard = max(0, lead - self._level_window // 2)
        level = level_db(filtered[heard:], self._level_window)
        high_level = level_db(scipy.signal.sosfilt(self._high_pass, filtered)[heard:], self._level_window)
        tail = max(1, len(level) // 5)
        attack_end = round(self._config.max_attack_s * self._rate)
        peak = int(np.argmax(level[:attack_end]))
        decline = level[peak :: self._level_window]
        return Evidence(
            growth_db=float(level[attack_end:].max(initial=SILENCE_DB)) - float(level[peak]),
            decay_db=float(level[peak]) - _mean_db(level[-tail:]),
            slope_db_per_ms=float(np.polyfit(np.arange(len(decline)), decline, 1)[0]) if len(decline) > 2 else 0.0,
            high_decay_db=_mean_db(high_level[:tail]) - _mean_db(high_level[-tail:]),
            voicing=self._voicing(filtered[lead:]),
            background_voicing=self._voicing(filtered[: max(0, lead - round(_GUARD_S * self._rate))]),
            centroid_hz=self._centroid_hz(filtered[lead:]),
            clipped_fraction=float(np.mean(np.abs(raw[lead:]) >= self._config.clip_level)),
            discontinuity=self._discontinuity(raw, lead),
            unmuted=self._is_unmuted(before),
            voice=voice,
            speech_db=self._speech_db(before) if voice >= self._config.min_voice else SILENCE_DB,
        )

    def _is_unmuted(self, before: FloatArray) -> bool:
        """Whether the level was that of digital silence at some time shortly before the onset."""
        just_before = before[-round(self._config.unmuting_s * self._rate) :]
        if len(just_before) < 2 * self._level_window:
            return True
        return float(level_db(just_before, self._level_window).min()) < self._config.digital_silence_db

    def _speech_db(self, before: FloatArray) -> float:
        if len(before) < 2 * self._level_window:
            return SILENCE_DB
        return float(np.percentile(level_db(before, self._level_window), self._config.speech_percentile))

    def _discontinuity(self, raw: FloatArray, lead: int) -> float:
        """Largest share of the energy of the sample differences within one jump, above their background."""
        energy = np.square(np.diff(raw))
        attack = energy[max(0, lead - self._level_window) : lead + 10 * self._level_window]
        before = energy[: max(0, lead - round(_GUARD_S * self._rate))]
        excess = attack - (before.mean() if len(before) else 0.0)
        total = float(excess.sum())
        if total <= 0 or len(excess) <= self._jump:
            return 0.0
        return float(np.convolve(excess, np.ones(self._jump), "valid").max()) / total

    def _voicing(self, sound: FloatArray) -> float:
        """Highest normalised autocorrelation at the lags of a voice.

        A mode that rings at a higher pitch than a voice repeats at these lags too, but already before them; it has
        no voicing.
        """
        if len(sound) < 2 * self._rate / self._config.voice_hz[0]:
            return 0.0
        low = scipy.signal.sosfilt(self._low_pass, sound)[:: self._voice_step]
        low = low - low.mean()
        correlation = scipy.fft.irfft(np.abs(scipy.fft.rfft(low, 2 * len(low))) ** 2)[: len(low)]
        rate = self._rate / self._voice_step
        shortest, longest = (round(rate / hz) for hz in reversed(self._config.voice_hz))
        longest = min(longest, len(low) // 2)
        correlation = correlation[: longest + 1] / (1 - np.arange(longest + 1) / len(low))
        if correlation[0] <= 0.0 or longest <= shortest:
            return 0.0
        crossing = int(np.argmax(correlation < 0.0))
        voiced = float(correlation[shortest:].max())
        above_voice = float(correlation[crossing:shortest].max(initial=0.0))
        return 0.0 if above_voice > _RINGING * voiced else voiced / float(correlation[0])

    def _centroid_hz(self, sound: FloatArray) -> float:
        power = np.abs(scipy.fft.rfft(sound * np.hanning(len(sound))))
        return float(power @ np.fft.rfftfreq(len(sound), 1 / self._rate) / max(power.sum(), 1e-12))


def _mean_db(level: FloatArray) -> float:
    """Mean of levels in the power domain."""
    return float(10 * np.log10(np.mean(10 ** (level / 10)))) if len(level) else SILENCE_DB
