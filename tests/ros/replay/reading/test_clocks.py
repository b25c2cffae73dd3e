"""Offset and drift between the clocks of sound and images, from hand-made delays and from a bag."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs the reader of bags")

from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.default_parameters import default_values
from cs3_ros.replay.reading.bag_inputs import BagInputs, choose_topics
from cs3_ros.replay.reading.clocks import compare_delays, estimate_clock_offset
from tests.ros.replay.recordings import write_recording


def delays(seconds: float, *, hz: float = 10.0, at_start_s: float = 0.0, ppm: float = 0.0, jitter_s: float = 0.0):
    """Messages [N, 2] of a clock that loses `ppm` microseconds per second."""
    received_s = np.arange(0.0, seconds, 1.0 / hz)
    jitter = np.random.default_rng(0).exponential(jitter_s, received_s.size) if jitter_s else 0.0
    return np.stack([received_s, at_start_s + 1e-6 * ppm * received_s + jitter], axis=1)


def test_the_offset_is_the_difference_of_the_delays_at_the_beginning() -> None:
    offset = compare_delays(delays(5.0, at_start_s=2.5), delays(5.0, at_start_s=0.5))
    assert offset.offset_s == pytest.approx(2.0) and offset.is_suspicious
    assert offset.drift is None  # too short to tell


def test_a_slow_clock_of_the_sound_is_a_positive_drift() -> None:
    """100 us/s over 1000 s make 0.1 s; the camera's constant delay changes nothing."""
    offset = compare_delays(delays(1000.0, ppm=100.0), delays(1000.0, hz=30.0, at_start_s=0.04))
    assert offset.drift.ppm == pytest.approx(100.0, rel=1e-3)
    assert offset.drift.total_s == pytest.approx(0.1, rel=1e-3) and offset.drift.is_suspicious
    assert offset.offset_s == pytest.approx(-0.04, abs=1e-3) and not offset.is_suspicious


def test_jitter_and_congestion_are_no_drift() -> None:
    """30 ms of jitter, and 30 of 600 s in which the images come two seconds late."""
    images = delays(600.0, hz=30.0, jitter_s=0.03)
    images[(images[:, 0] > 500) & (images[:, 0] < 530), 1] += 2.0
    offset = compare_delays(delays(600.0, hz=50.0, ppm=20.0), images)
    assert offset.drift.ppm == pytest.approx(20.0, abs=10.0)
    assert not offset.drift.is_suspicious


@pytest.mark.parametrize("jump_s", [100.0, -0.5])
def test_a_clock_that_is_set_does_not_drift(jump_s) -> None:
    audio = delays(300.0)
    audio[audio[:, 0] > 100, 1] += jump_s
    offset = compare_delays(audio, delays(300.0))
    assert offset.offset_s == 0.0 and offset.drift.ppm == pytest.approx(0.0, abs=1e-6)


def test_what_no_crystal_does_is_not_called_drift() -> None:
    assert compare_delays(delays(100.0, ppm=5000.0), delays(100.0)).drift is None


def test_long_bags_are_compared_in_longer_spans() -> None:
    """Ten hours; all pairs of seconds would be half a billion."""
    offset = compare_delays(delays(36_000.0, hz=2.0, ppm=-10.0), delays(36_000.0, hz=2.0))
    assert offset.drift.total_s == pytest.approx(-0.36, rel=1e-3)


@pytest.mark.parametrize("shift_s", [0.0, 12.5, -3.0])
def test_the_offset_of_a_bag_is_what_corrects_it(tmp_path, shift_s) -> None:
    path = write_recording(tmp_path / "bag", seconds=1.0, audio_shift_s=shift_s)
    with RecordedBag(path) as bag:
        offset = estimate_clock_offset(BagInputs(bag, choose_topics(bag), default_values()))
    assert offset.offset_s == pytest.approx(-shift_s, abs=1e-6)
    assert offset.is_suspicious == (shift_s != 0.0)


def test_corrected_sound_is_on_the_clock_of_the_images(tmp_path) -> None:
    """The sound loses 900 us/s over 62 s, which is 56 ms; corrected, nothing is left."""
    path = write_recording(tmp_path / "bag", seconds=62.0, onsets_s=(), audio_shift_s=-1.0, audio_drift_ppm=-900.0)
    with RecordedBag(path) as bag:
        topics = choose_topics(bag)
        offset = estimate_clock_offset(BagInputs(bag, topics, default_values()))
        assert offset.drift.ppm == pytest.approx(900.0, rel=0.01)
        shift = {"shift_audio_ns": round(1e9 * offset.offset_s), "drift_audio_ppm": offset.drift.ppm}
        left = estimate_clock_offset(BagInputs(bag, topics, default_values(), **shift))
    assert left.drift.total_s == pytest.approx(0.0, abs=1e-3)
    assert left.offset_s == pytest.approx(0.0, abs=0.01)
