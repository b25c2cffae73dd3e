"""Brightness, decay and attack of sounds whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from training.micro.audio.impact_features import features_of
from training.simulation.sound.modes import Sound

RATE_HZ = 16_000
ONSET = 4000


def tone(pitch_hz: float, decay: float, rise_s: float = 0.0) -> Sound:
    time = np.arange(RATE_HZ) / RATE_HZ
    ring = np.sin(2 * np.pi * pitch_hz * time) * np.exp(-decay * time)
    if rise_s:
        ring *= np.clip(time / rise_s, 0.0, 1.0)
    return np.concatenate([np.zeros(ONSET), ring])


def test_the_centroid_of_a_tone_is_its_pitch():
    assert features_of(tone(1000.0, 5.0), ONSET).centroid_hz == pytest.approx(1000.0, rel=0.02)


def test_two_equal_tones_around_3_khz_are_half_bright():
    """Half is -3 dB."""
    found = features_of(tone(1000.0, 5.0) + tone(5000.0, 5.0), ONSET)
    assert found.bright_db == pytest.approx(-3.0, abs=0.1)


def test_the_time_to_a_tenth_of_the_energy():
    """exp(-2 a t) = 0.1 with a = 20 per second: 57.6 ms."""
    assert features_of(tone(1000.0, 20.0), ONSET).fall_ms == pytest.approx(57.6, abs=1.0)


def test_a_slow_rise_is_a_long_attack():
    """A rise of 20 ms peaks in its last or the next millisecond, and exceeds a tenth of that in its second."""
    assert features_of(tone(1000.0, 20.0, rise_s=0.02), ONSET).attack_ms in (19.0, 20.0)
    assert features_of(tone(1000.0, 20.0), ONSET).attack_ms <= 2.0
