"""The audio-visual network as a part of the pipeline, at debug size; the full size is built and counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cs3_model.networks.audio_visual import (
    audio_visual_segmenter,
    build_debug_audio_visual_network,
    build_debug_audio_visual_segmenter,
    build_full_audio_visual_network,
)
from cs3_model.networks.beats import log_mel
from cs3_model.types import MIN_WINDOW_SAMPLES, AudioWindow


def window(num_samples: int, *, seed: int = 0) -> AudioWindow:
    samples = np.random.default_rng(seed).uniform(-1, 1, num_samples).astype(np.float32)
    return AudioWindow(samples=samples)


def image(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def segmenter():
    return build_debug_audio_visual_segmenter(0)


def test_the_map_depends_on_the_sound_and_on_the_image(segmenter):
    base = segmenter.decode(segmenter.embed_image(image(90, 160)), segmenter.embed_audio(window(32_000)))
    other_image = segmenter.decode(segmenter.embed_image(image(90, 160, seed=1)), segmenter.embed_audio(window(32_000)))
    other_sound = segmenter.decode(segmenter.embed_image(image(90, 160)), segmenter.embed_audio(window(16_000)))
    assert base.dtype == np.float32
    assert base.shape == (64, 64)
    for other in (other_image, other_sound):
        assert np.abs(base - other).max() > 1e-3


def test_the_same_seed_gives_the_same_map_and_another_seed_another():
    maps = []
    for seed in (0, 0, 1):
        part = build_debug_audio_visual_segmenter(seed)
        maps.append(part.decode(part.embed_image(image(64, 64)), part.embed_audio(window(16_000))))
    assert np.array_equal(maps[0], maps[1])
    assert not np.allclose(maps[0], maps[2])


def test_building_the_debug_part_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_debug_audio_visual_segmenter(9)
    assert torch.equal(torch.rand(3), expected)


def test_the_debug_part_says_that_it_is_untrained(segmenter):
    assert segmenter.trained is False
    assert segmenter.name == "debug-audio-visual-0"


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    num_samples=st.one_of(st.just(MIN_WINDOW_SAMPLES), st.integers(MIN_WINDOW_SAMPLES, 40_000)),
    loudness=st.sampled_from([0.0, 1e-8, 1.0]),
)
def test_every_valid_image_and_window_gives_a_finite_map(segmenter, height, width, num_samples, loudness):
    samples = np.float32(loudness) * window(num_samples).samples
    audio = segmenter.embed_audio(AudioWindow(samples=samples))
    logits = segmenter.decode(segmenter.embed_image(image(height, width)), audio)
    assert logits.shape == (64, 64)
    assert np.isfinite(logits).all()


def test_half_a_minute_of_sound_is_taken(segmenter):
    assert segmenter.embed_audio(window(30 * 16_000)).shape == (1, 32)


def test_bfloat16_weights_give_nearly_the_same_map():
    """The spectrogram stays float32; only the networks are cast."""
    torch.manual_seed(0)
    network = build_debug_audio_visual_network()
    exact = audio_visual_segmenter(network, name="float32", trained=False)
    reference = exact.decode(exact.embed_image(image(64, 64)), exact.embed_audio(window(16_000)))
    network.to(torch.bfloat16)
    logits = exact.decode(exact.embed_image(image(64, 64)), exact.embed_audio(window(16_000)))
    assert logits.dtype == np.float32
    assert np.corrcoef(logits.ravel(), reference.ravel())[0, 1] > 0.99


def test_the_gradient_of_a_map_reaches_the_audio_encoder_and_the_audio_token():
    network = build_debug_audio_visual_network().eval()
    network.clipseg.requires_grad_(False)
    condition = network.condition(log_mel(torch.from_numpy(window(16_000).samples)[None]))
    features = network.clipseg.image_features(torch.randn(2, 3, 64, 64))
    network.clipseg.decode_pairs(features, condition).mean().backward()
    without = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    trained = {name for name in dict(network.named_parameters()) if not name.startswith("clipseg.")}
    assert without & trained == {"beats.predictor.weight", "beats.predictor.bias"}
    assert network.beats.patch_embedding.weight.grad.abs().sum() > 0


def test_the_full_network_is_beats_7m_of_audio_token_and_clipseg():
    with torch.device("meta"):
        network = build_full_audio_visual_network()
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert sizes == {"beats": 90_717_055, "audio_token": 7_279_363, "prompt": 0, "clipseg": 150_747_746}
