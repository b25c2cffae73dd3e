"""The paper's training at the size of micro: what it learns from and what it trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cs3_model.networks.micro.vocabulary import MATERIALS, encode_prompt
from tests.training.drawn_world import drawn_data_set
from tests.training.micro.small import small_networks
from training.data.sound_windows import read_window
from training.weak.micro_model import MicroWeakModel
from training.weak.objective import WeakObjective
from training.weak.recipe import load_recipe


@pytest.fixture
def model(tmp_path) -> MicroWeakModel:
    torch.manual_seed(0)
    return MicroWeakModel(small_networks(tmp_path))


@pytest.fixture
def batch(model, tmp_path):
    samples = drawn_data_set(tmp_path, 2).samples
    pixels = torch.stack([model.prepare_image(sample.load_image()) for sample in samples])
    sounds = torch.stack([model.prepare_sound(read_window(sample.sound).samples) for sample in samples])
    return pixels, sounds


def test_a_place_is_embedded_by_the_words_that_the_labels_have_for_it(model) -> None:
    """Labels that are sure of glass and of no class point along the condition of "glass"."""
    materials, classes = torch.full((1, 8, 1, 1), -30.0), torch.full((1, 25, 1, 1), -30.0)
    materials[0, 1 + MATERIALS.index("glass")] = 30.0
    classes[0, 0] = 30.0
    model.words.labels = lambda features: (materials, classes)
    embedded = model.words(torch.zeros(1, 8, 1, 1)).flatten()
    conditions = model.vision.prompt(torch.tensor([encode_prompt((word,)) for word in MATERIALS]))
    assert torch.allclose(embedded, model.words.conditions_WP[MATERIALS.index("glass")], atol=1e-5)
    mean = model.vision.prompt(torch.arange(31)[:, None]).mean(0)
    assert torch.allclose(embedded, F.normalize(conditions[MATERIALS.index("glass")] - mean, dim=-1), atol=1e-5)
    classes[0, 0], materials[0, 0] = 30.0, 90.0
    assert model.words(torch.zeros(1, 8, 1, 1)).norm() < 1e-5  # no object, no words


@pytest.mark.parametrize("train_encoder", [True, False])
def test_only_token_and_encoder_are_trained_and_exported(model, batch, train_encoder) -> None:
    for parameter in model.trained_parameters()[0]:
        parameter.requires_grad_(train_encoder)
    objective = WeakObjective(model, load_recipe("sim_cs3").losses).train()
    losses = objective(*batch, torch.Generator().manual_seed(0))
    losses.total.backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(name.startswith("heard.token.") for name in with_gradient)
    assert any(name.startswith("heard.audio.") for name in with_gradient) is train_encoder
    assert all(name.startswith(("heard.token.", "heard.audio.")) for name in with_gradient)
    assert {name.split(".")[0] for name in model.exported()} == ({"token", "audio"} if train_encoder else {"token"})
    assert model.heard.audio.training is train_encoder and not model.vision.training


def test_masked_places_have_the_mean_colour(model) -> None:
    seen = []
    model.vision.tower.register_forward_hook(lambda module, arguments, output: seen.append(arguments[0]))
    pixels = model.prepare_image(np.full((64, 64, 3), 255, np.uint8))[None]
    mask = torch.ones(1, 1, 64, 64)
    mask[..., :32] = 0
    model.embed_images(pixels * mask)
    assert torch.allclose(seen[0][..., :32], torch.tensor(0.5)) and torch.allclose(seen[0][..., 32:], torch.tensor(1.0))
