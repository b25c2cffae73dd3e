"""The audio ring: no sample lost, times by sample count, every discontinuity named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs3_model.audio_ring import AudioRing, Discontinuity
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioBlock

NS = 1_000_000_000


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, num_samples).astype(np.float32)


def block_of(samples: np.ndarray, sample_rate_hz: int, stamp_ns: int) -> AudioBlock:
    return AudioBlock(samples=samples, sample_rate_hz=sample_rate_hz, stamp_ns=stamp_ns)


def push_in_chunks(ring: AudioRing, samples: np.ndarray, rate: int, sizes: list[int], start_ns: int = 0) -> None:
    position = 0
    while position < samples.size:
        size = sizes.pop(0) if sizes else samples.size - position
        ring.push(block_of(samples[position : position + size], rate, start_ns + round(position / rate * NS)))
        position += size


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5_000), max_size=20))
def test_any_chunking_gives_back_the_same_samples(sizes: list[int]) -> None:
    samples = noise(16_000)
    ring = AudioRing(span_s=2.0)
    push_in_chunks(ring, samples, 16_000, list(sizes))
    window, missing_s = ring.window(0, NS)
    np.testing.assert_array_equal(window.samples, samples)
    assert missing_s == 0.0


def test_the_ring_keeps_exactly_its_span() -> None:
    samples = noise(48_000)
    ring = AudioRing(span_s=1.0)
    push_in_chunks(ring, samples, 16_000, [700] * 68)
    assert (ring.start_ns, ring.end_ns) == (2 * NS, 3 * NS)
    window, _ = ring.window(2 * NS, 3 * NS)
    np.testing.assert_array_equal(window.samples, samples[32_000:])


def test_a_block_longer_than_the_span_leaves_its_end() -> None:
    samples = noise(32_000)
    ring = AudioRing(span_s=0.5)
    ring.push(block_of(samples, 16_000, 0))
    window, _ = ring.window(3 * NS // 2, 2 * NS)
    np.testing.assert_array_equal(window.samples, samples[24_000:])


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_keeps_frequency_phase_and_level_at_any_rate(rate: int) -> None:
    times = np.arange(3 * rate) / rate
    ring = AudioRing(span_s=3.0)
    push_in_chunks(ring, np.sin(2 * np.pi * 500 * times) * 0.5, rate, [rate // 50] * 149)
    window, _ = ring.window(NS, 2 * NS)
    expected = 0.5 * np.sin(2 * np.pi * 500 * (1 + np.arange(MODEL_SAMPLE_RATE_HZ) / MODEL_SAMPLE_RATE_HZ))
    inner = slice(50, -50)  # the window is cut before it is resampled: its first and last 3 ms ring
    np.testing.assert_allclose(window.samples[inner], expected[inner], atol=2e-3)


def test_channels_are_averaged() -> None:
    ring = AudioRing()
    stereo = np.stack([np.full(16_000, 0.5), np.full(16_000, -0.1)], axis=1)
    accepted = ring.push(block_of(stereo, 16_000, 0))
    np.testing.assert_allclose(accepted.samples, 0.2, atol=1e-6)


def test_discontinuities_are_named() -> None:
    ring = AudioRing(span_s=2.0)
    block = noise(800)
    assert ring.push(block_of(block, 16_000, 0)).discontinuity is Discontinuity.START
    assert ring.push(block_of(block, 16_000, NS // 20)).discontinuity is None
    gap = ring.push(block_of(block, 16_000, 3 * NS // 10))
    assert gap.discontinuity is Discontinuity.GAP and gap.missing_s == pytest.approx(0.2)
    duplicate = ring.push(block_of(block, 16_000, 3 * NS // 10))
    assert duplicate.discontinuity is Discontinuity.DUPLICATE and duplicate.samples.size == 0
    assert ring.push(block_of(block, 16_000, 10 * NS)).discontinuity is Discontinuity.JUMP
    assert ring.push(block_of(block, 16_000, 5 * NS)).discontinuity is Discontinuity.JUMP
    assert ring.push(block_of(block, 8_000, 5 * NS + NS // 20)).discontinuity is Discontinuity.RATE_CHANGE


def test_one_lost_block_of_a_steady_stream_is_a_gap() -> None:
    ring = AudioRing()
    for index in range(100):
        ring.push(block_of(noise(320), 16_000, index * NS // 50))
    accepted = ring.push(block_of(noise(320), 16_000, 101 * NS // 50))
    assert accepted.discontinuity is Discontinuity.GAP
    assert accepted.missing_s == pytest.approx(0.02, abs=1e-3)


def test_jitter_of_ten_milliseconds_is_no_gap_and_hardly_moves_the_clock() -> None:
    rng = np.random.default_rng(0)
    ring = AudioRing()
    for index in range(500):
        stamp_ns = round((index / 50 + rng.normal(0, 0.010)) * NS)
        assert ring.push(block_of(noise(320), 16_000, stamp_ns)).discontinuity in (None, Discontinuity.START)
    assert ring.end_ns == pytest.approx(10 * NS, abs=0.003 * NS)


def test_a_drifting_sound_card_is_followed() -> None:
    """A card that is 200 ppm fast would be 12 ms off after a minute."""
    ring = AudioRing()
    for index in range(3_000):
        ring.push(block_of(np.zeros(320), 16_000, round(index / 50 * (1 - 200e-6) * NS)))
    assert ring.end_ns == pytest.approx(60 * (1 - 200e-6) * NS, abs=0.003 * NS)


def test_a_gap_is_zero_in_the_window_and_counted() -> None:
    ring = AudioRing()
    ring.push(block_of(np.full(8_000, 0.5), 16_000, 0))
    ring.push(block_of(np.full(8_000, 0.5), 16_000, 3 * NS // 4))
    window, missing_s = ring.window(0, 5 * NS // 4)
    assert missing_s == pytest.approx(0.25)
    assert not window.samples[8_000:12_000].any()
    assert (window.samples[:8_000] == 0.5).all() and (window.samples[12_000:] == 0.5).all()


def test_a_gap_that_reaches_past_the_end_of_the_window_is_missing_from_it() -> None:
    ring = AudioRing(span_s=10.0)
    ring.push(block_of(np.full(8_000, 0.5, np.float32), 16_000, 0))  # 0 .. 0.5 s
    ring.push(block_of(np.full(8_000, 0.5, np.float32), 16_000, NS))  # 1 .. 1.5 s
    assert ring.window(0, 3 * NS // 4)[1] == pytest.approx(0.25)
    assert ring.window(3 * NS // 4, 3 * NS // 2)[1] == pytest.approx(0.25)
    assert ring.window(6 * NS // 10, 9 * NS // 10)[1] == pytest.approx(0.3)


def test_what_lies_before_the_first_and_after_the_last_sample_is_zero_but_not_missing() -> None:
    ring = AudioRing()
    ring.push(block_of(np.full(16_000, 0.5), 16_000, NS))
    window, missing_s = ring.window(NS // 2, 5 * NS // 2)
    assert missing_s == 0.0
    assert window.samples.size == 32_000 and window.start_ns == NS // 2
    assert np.count_nonzero(window.samples) == 16_000


def test_nan_and_overdriven_samples_are_repaired_and_counted() -> None:
    ring = AudioRing()
    samples = noise(16_000)
    samples[[10, 20, 30]] = np.nan, np.inf, 1.5
    assert ring.push(block_of(samples, 16_000, 0)).num_repaired == 3
    window, _ = ring.window(0, NS)
    assert window.samples[[10, 20, 30]].tolist() == [0.0, 0.0, 1.0]


def test_times_of_samples_count_from_the_newest_run() -> None:
    ring = AudioRing()
    ring.push(block_of(noise(1_600), 16_000, 0))
    ring.push(block_of(noise(1_600), 16_000, NS))
    assert ring.time_of_run_sample(160) == NS + NS // 100


@pytest.mark.parametrize("samples", [np.zeros((2, 2, 2)), np.zeros(0), 0.5])
def test_shapes_that_are_no_audio_are_refused(samples: object) -> None:
    with pytest.raises(ValueError, match=r"shape \[T\] or \[T, C\]"):
        AudioRing().push(block_of(samples, 16_000, 0))


def test_a_window_before_any_audio_is_refused() -> None:
    with pytest.raises(ValueError, match="no audio"):
        AudioRing().window(0, NS)
