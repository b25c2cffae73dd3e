"""What devices do to sounds leaves the blow where it is."""

from __future__ import annotations

import numpy as np
import pytest

from training.simulation.sound.recording_devices import CODECS, coded, record

RATE_HZ = 16_000
ONSET = 12_000


def click() -> np.ndarray:
    sound = np.zeros(2 * RATE_HZ)
    rng = np.random.default_rng(0)
    sound[ONSET : ONSET + 800] = 0.3 * rng.standard_normal(800) * np.exp(-np.arange(800) / 200)
    return sound


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_keeps_length_and_time(codec):
    """The delay that encoders add is taken off again, to 1 ms."""
    sound = click()
    decoded = coded(sound, RATE_HZ, codec, bit_rate=64_000)
    assert decoded.shape == sound.shape
    matches = np.correlate(decoded, sound[ONSET : ONSET + 800], "valid")
    assert abs(int(matches.argmax()) - ONSET) <= RATE_HZ // 1000
    assert np.abs(decoded - sound).max() > 1e-4  # it did go through the codec


def test_every_recording_is_finite_and_within_full_scale():
    for seed in range(40):
        recording = record(np.random.default_rng(seed), click(), ONSET / RATE_HZ, RATE_HZ, (3.0, 45.0))
        assert recording.samples.shape == (2 * RATE_HZ,)
        assert np.isfinite(recording.samples).all()
        assert 0.01 < np.abs(recording.samples).max() <= 1.0
        assert 3.0 <= recording.snr_db <= 45.0


def test_a_clear_blow_stays_the_loudest_where_it_was():
    """In most of them: clipping and level control flatten it, a loud background may win."""
    found = [
        np.abs(record(np.random.default_rng(seed), click(), ONSET / RATE_HZ, RATE_HZ, (30.0, 30.0)).samples).argmax()
        for seed in range(40)
    ]
    assert np.mean(np.abs(np.array(found) - ONSET) < RATE_HZ * 0.08) > 0.8


def test_the_same_seed_records_the_same():
    first, again = (record(np.random.default_rng(3), click(), ONSET / RATE_HZ, RATE_HZ, (3.0, 45.0)) for _ in range(2))
    assert np.array_equal(first.samples, again.samples)
