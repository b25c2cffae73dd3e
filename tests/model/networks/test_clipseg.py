"""The pairwise decoder against `transformers.CLIPSegForImageSegmentation.forward`, one pair at a time."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

from cs3_model.networks.clipseg import ConditionedCLIPSeg, rd64_refined_config


def small_config(**changes) -> CLIPSegConfig:
    transformer = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4}
    settings = {
        "text_config": transformer | {"vocab_size": 12, "bos_token_id": 10, "eos_token_id": 2},
        "vision_config": transformer | {"image_size": 32, "patch_size": 16},
        "projection_dim": 24,
        "reduce_dim": 16,
        "extract_layers": [1, 2, 4],
        "decoder_intermediate_size": 32,
        "use_complex_transposed_convolution": True,
    }
    return CLIPSegConfig(**(settings | changes))


def build(config: CLIPSegConfig, *, input_size: int) -> ConditionedCLIPSeg:
    torch.manual_seed(0)
    return ConditionedCLIPSeg(CLIPSegForImageSegmentation(config), input_size=input_size).eval()


@pytest.fixture(scope="module")
def small() -> ConditionedCLIPSeg:
    return build(small_config(), input_size=64)


def pairs_by_transformers(network: ConditionedCLIPSeg, pixels: Tensor, conditions: Tensor) -> Tensor:
    """[B, A, h, w] from one forward pass of transformers per pair."""
    maps = [
        network.model(pixel_values=image[None], conditional_embeddings=condition[None]).logits
        for image in pixels
        for condition in conditions
    ]
    return torch.cat(maps).unflatten(0, (len(pixels), len(conditions)))


def assert_equal_to_rel_1e6(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == expected.shape
    assert float((actual - expected).abs().max() / expected.abs().max()) <= 1e-6


def test_the_network_has_the_names_and_shapes_of_the_published_file() -> None:
    """Those of transformers 4.36.2, in whose time the file was used; a rename in a newer version shows here."""
    layout = (Path(__file__).parent / "golden" / "clipseg_published_layout.txt").read_text().splitlines()
    with torch.device("meta"):
        state = CLIPSegForImageSegmentation(rd64_refined_config()).state_dict()
    ours = {f"{name} {'x'.join(map(str, value.shape)) or 'scalar'}" for name, value in state.items()}
    assert len(layout) == 462 and ours == set(layout)


@pytest.mark.parametrize(
    "changes",
    [{}, {"conditional_layer": 1}, {"use_complex_transposed_convolution": False}],
    ids=["refined", "later FiLM", "simple head"],
)
@torch.no_grad()
def test_every_pair_equals_a_forward_pass_of_transformers(changes):
    network = build(small_config(**changes), input_size=64)
    pixels, conditions = torch.randn(3, 3, 64, 64), torch.randn(4, 24)
    decoded = network.decode_pairs(network.image_features(pixels), conditions)
    assert_equal_to_rel_1e6(decoded, pairs_by_transformers(network, pixels, conditions))
    assert decoded.std(dim=1).mean() > 0.01 * decoded.std(), "the conditions must make a difference"


@pytest.mark.slow
@torch.no_grad()
def test_every_pair_equals_a_forward_pass_of_transformers_at_the_published_size():
    network = build(rd64_refined_config(), input_size=352)
    assert sum(parameter.numel() for parameter in network.parameters()) == 150_747_746
    pixels, conditions = torch.randn(1, 3, 352, 352), torch.randn(2, 512)
    features = network.image_features(pixels)
    assert features.shape == (3, 1, 485, 64)
    expected = network.model(pixel_values=pixels, conditional_embeddings=conditions[:1]).logits[None]
    decoded = network.decode_pairs(features, conditions)
    assert decoded.shape == (1, 2, 352, 352)
    assert_equal_to_rel_1e6(decoded[:, :1], expected)


@pytest.mark.parametrize("max_pairs", [1, 3, 7, 64])
def test_chunks_and_recomputation_change_neither_logits_nor_gradients(small, max_pairs):
    features = small.image_features(torch.randn(3, 3, 64, 64)).detach()
    gradients, logits = [], []
    conditions = torch.randn(5, 24)
    for settings in ({"max_pairs": 64}, {"max_pairs": max_pairs, "recompute": True}):
        leaf = conditions.clone().requires_grad_()
        decoded = small.decode_pairs(features, leaf, **settings)
        decoded.sigmoid().mean().backward()
        logits.append(decoded.detach())
        gradients.append(leaf.grad)
    assert_equal_to_rel_1e6(logits[1], logits[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)
    assert gradients[0].abs().max() > 1e-4


def test_frozen_parameters_keep_no_graph_of_the_vision_encoder(small):
    """Freezing is enough; no ``no_grad`` is needed around the vision encoder."""
    small.requires_grad_(False)
    features = small.image_features(torch.randn(1, 3, 64, 64))
    small.requires_grad_(True)
    assert not features.requires_grad


@torch.no_grad()
def test_one_pass_gives_decoder_features_and_patch_embeddings(small):
    """The patches equal those of transformers with a last block in which each token attends to itself alone."""
    pixels = torch.randn(2, 3, 64, 64)
    features, patches = small.image_and_patch_features(pixels)
    torch.testing.assert_close(features, small.image_features(pixels))
    assert patches.shape == (2, 24, 4, 4)

    network, clip = copy.deepcopy(small), small.model.clip
    last = network.model.clip.vision_model.encoder.layers[-1].self_attn

    def attend_to_oneself(hidden_states, **kwargs):
        return last.out_proj(last.v_proj(hidden_states)), None

    last.forward = attend_to_oneself
    hidden = network.model.clip.vision_model(pixels, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
    expected = clip.visual_projection(clip.vision_model.post_layernorm(hidden))
    assert_equal_to_rel_1e6(patches.flatten(2).transpose(1, 2), expected)


def test_the_image_embedding_passes_gradients_to_the_pixels(small):
    pixels = torch.randn(2, 3, 64, 64, requires_grad=True)
    embedding = small.image_embedding(pixels)
    assert embedding.shape == (2, 24)
    embedding[0].sum().backward()
    assert pixels.grad[0].abs().sum() > 0
    assert pixels.grad[1].abs().sum() == 0
