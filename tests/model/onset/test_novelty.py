from __future__ import annotations

import numpy as np
import pytest

from cs3_model.onset import NoveltyConfig
from cs3_model.onset.novelty import SpectralNovelty, triangular_filters

RATE_HZ = 16_000


def frames_of(samples, novelty):
    starts = range(0, len(samples) - novelty.frame + 1, novelty.hop)
    return np.array([samples[start : start + novelty.frame] for start in starts])


def test_filters_are_triangles_that_sum_to_one_between_the_outer_centres():
    bins_hz = np.arange(0, 8001, 10.0)
    filters, centres_hz = triangular_filters(bins_hz, bands_per_octave=12, min_hz=100, max_hz=4000)
    inner = (bins_hz >= centres_hz[0]) & (bins_hz <= centres_hz[-1])
    assert filters[inner].sum(1) == pytest.approx(1)
    assert filters.max(0) == pytest.approx(1)
    assert bins_hz[filters.argmax(0)].tolist() == centres_hz.tolist()
    ratios = centres_hz[1:] / centres_hz[:-1]
    assert ratios[centres_hz[1:] > 1000] == pytest.approx(2 ** (1 / 12), rel=0.02)


def test_novelty_is_zero_for_a_constant_tone_and_high_where_noise_begins():
    novelty = SpectralNovelty(RATE_HZ, NoveltyConfig())
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    tone[8000:] += 0.1 * np.random.default_rng(0).standard_normal(8000)
    values = novelty.process(frames_of(tone, novelty)).novelty_K
    first = (8000 - novelty.frame) // novelty.hop + 1
    assert values[4:first].max() < 0.5
    assert values.argmax() in range(first, first + 4) and values.max() > 10


def test_novelty_does_not_depend_on_how_the_frames_are_grouped():
    samples = 0.1 * np.random.default_rng(1).standard_normal(8000)
    novelty = SpectralNovelty(RATE_HZ, NoveltyConfig())
    frames = frames_of(samples, novelty)
    whole = novelty.process(frames).novelty_K
    novelty.reset()
    grouped = np.concatenate([novelty.process(part).novelty_K for part in np.split(frames, [1, 2, 9, 50])])
    assert grouped == pytest.approx(whole, abs=1e-9)


def test_a_vibrato_is_less_novel_than_the_tone_that_it_bends():
    """The maximum filter takes a quarter-tone wobble for the same partial."""
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    vibrato = 0.1 * np.sin(2 * np.pi * 3000 * (t + 0.0002 * np.sin(2 * np.pi * 6 * t)))
    vibrato[: RATE_HZ // 2] = 0
    novelty = SpectralNovelty(RATE_HZ, NoveltyConfig())
    values = novelty.process(frames_of(vibrato, novelty)).novelty_K
    assert values[110:].max() < 0.2 * values.max()


def test_wideband_fraction_is_one_for_a_rise_everywhere_and_none_for_no_rise():
    novelty = SpectralNovelty(48_000, NoveltyConfig())
    frames = np.random.default_rng(0).standard_normal((1, novelty.frame))
    num_bands = novelty.process(frames).rise_KB.shape[1]
    assert novelty.wideband_fraction(np.ones(num_bands)) == 1
    assert novelty.wideband_fraction(np.zeros(num_bands)) == 0
