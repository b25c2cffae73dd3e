from __future__ import annotations

import numpy as np
import pytest

from cs3_model.onset import AttackConfig
from cs3_model.onset.attack import SILENCE_DB, find_attack, level_db
from cs3_model.onset.history import SampleHistory

RATE_HZ = 10_000


def attack_of(samples, frame_end):
    history = SampleHistory(RATE_HZ)
    history.append(np.asarray(samples, dtype=float))
    return find_attack(history, frame_end, 116, RATE_HZ, AttackConfig())


def test_level_is_the_rms_of_the_window_in_decibel():
    level = level_db(np.array([0.0, 0.0, 1.0, 1.0, 0.1, 0.1]), 2)
    assert level == pytest.approx([SILENCE_DB, 10 * np.log10(0.5), 0, 10 * np.log10(0.505), -20], abs=1e-6)


def test_a_step_of_a_tone_is_stamped_to_the_millisecond_with_its_rise():
    samples = 0.001 * np.ones(2000) * np.resize([1, -1], 2000)
    samples[1500:] *= 100
    attack = attack_of(samples, 1560)
    assert attack.onset_sample == pytest.approx(1500, abs=10)
    assert attack.background_db == pytest.approx(-60, abs=0.1)
    assert attack.rise_db == pytest.approx(40, abs=0.1)
    assert attack.duration_s <= 0.001


def test_a_ramp_begins_20_db_below_its_peak_and_its_attack_lasts_to_3_db_below():
    """A linear ramp of 10 ms passes a tenth of its height after 1 ms and 0.71 of it after 7.1 ms."""
    samples = np.resize([1.0, -1.0], 2000) * 1e-4
    samples[1500:1600] += np.resize([1, -1], 100) * np.linspace(0, 1, 100)
    attack = attack_of(samples, 1600)
    assert attack.onset_sample == pytest.approx(1510, abs=6)
    assert attack.duration_s == pytest.approx(0.0061, abs=0.001)


def test_nothing_is_found_before_there_is_anything_to_compare_with():
    assert attack_of(np.ones(50), 50) is None
