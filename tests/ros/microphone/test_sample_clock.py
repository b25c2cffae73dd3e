from __future__ import annotations

import numpy as np
import pytest

from cs3_ros.microphone.sample_clock import SampleClock

MS = 1_000_000


def test_stamps_follow_the_worked_example():
    clock = SampleClock(1000, time_constant_s=1.0)

    stamps = [clock.stamp(10, measured_ns) for measured_ns in (0, 14 * MS, 20 * MS)]

    assert stamps == [0, 10_040_000, 20_039_600]


def test_punctual_blocks_are_stamped_to_the_nanosecond_for_ever():
    """441 samples at 44.1 kHz are 10 ms; a thousand seconds add up no rounding."""
    clock = SampleClock(44_100)

    stamps = [clock.stamp(441, 10 * MS * block) for block in range(100_000)]

    assert stamps == [10 * MS * block for block in range(100_000)]


def test_stamps_are_evener_than_the_jitter_of_their_measurement():
    clock = SampleClock(48_000)
    jitter_ns = np.random.default_rng(0).integers(0, 5 * MS, 5000)

    stamps = [clock.stamp(960, 20 * MS * block + int(late)) for block, late in enumerate(jitter_ns)]

    assert np.abs(np.diff(stamps) - 20 * MS).max() < 0.02 * MS
    error_ns = np.array(stamps[2500:]) - 20 * MS * np.arange(2500, 5000)
    assert np.abs(error_ns - jitter_ns.mean()).max() < 0.5 * MS


def test_a_fast_sound_card_is_followed():
    """100 ppm fast: 20 ms blocks come every 19.998 ms. After 200 s, counting alone would be 20 ms off."""
    clock = SampleClock(48_000, time_constant_s=10.0)
    measured_ns = [19_998_000 * block for block in range(10_000)]

    stamps = [clock.stamp(960, time_ns) for time_ns in measured_ns]

    assert abs(stamps[-1] - measured_ns[-1]) < 1.1 * MS  # the drift of one time constant
    assert clock.num_restarts == 0


def test_lost_samples_make_the_clock_start_afresh():
    clock = SampleClock(1000, max_error_s=0.1)
    clock.stamp(10, 0)

    assert clock.stamp(10, 500 * MS) == 500 * MS
    assert clock.stamp(10, 510 * MS) == 510 * MS
    assert clock.num_restarts == 1


def test_a_clock_that_was_set_back_makes_it_start_afresh():
    clock = SampleClock(1000)
    clock.stamp(10, 5000 * MS)

    assert clock.stamp(10, 1000 * MS) == 1000 * MS


def test_a_restart_takes_the_next_measurement_as_it_is():
    clock = SampleClock(1000)
    clock.stamp(10, 0)
    clock.restart()

    assert clock.stamp(10, 37 * MS) == 37 * MS
    assert clock.num_restarts == 0


@pytest.mark.parametrize("size", [1, 7, 480])
def test_blocks_of_any_size_give_the_times_of_their_samples(size):
    clock = SampleClock(48_000)

    stamps = [clock.stamp(size, begin * 10**9 // 48_000) for begin in range(0, 4800, size)]

    assert stamps == pytest.approx([begin * 1e9 / 48_000 for begin in range(0, 4800, size)], abs=1)
