"""The two-mask baseline: the walk, what is mixed, and the masks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cs3_model.types import Frame
from tests.training.drawn_world import drawn_data_set
from tests.training.micro.small import small_networks, small_weights
from training.data.sound_windows import read_window
from training.evaluation.baselines.mix_localize import MixtureNetwork, return_loss, save_mixture
from training.evaluation.methods import build_row
from training.evaluation.row import LoadedSample
from training.evaluation.row_spec import MixtureSpec
from training.micro.audio_visual.train_mix_localize import Mixing, MixtureBatches, losses_of
from training.micro.fitting import StageConfig, fit

EYE = torch.eye(4)


def test_a_walker_that_surely_comes_back_costs_nothing() -> None:
    """Picture 0 has one place like slot 0, picture 1 one like slot 1; the other places are like neither."""
    places = torch.stack([EYE[[2, 0, 3]], EYE[[3, 2, 1]]])[None]
    assert return_loss(places, EYE[None, :2], EYE[None, :2]).item() == pytest.approx(0.0, abs=1e-4)


def test_a_walker_that_cannot_tell_costs_the_log_of_two() -> None:
    places = EYE[[2, 3]].expand(1, 2, 2, 4)
    assert return_loss(places, EYE[None, :2], EYE[None, :2]).item() == pytest.approx(math.log(2))


def test_the_return_is_to_the_same_slot() -> None:
    places = torch.stack([EYE[[0]], EYE[[1]]])[None]
    assert return_loss(places, EYE[None, :2], EYE[None, [1, 0]]).item() > 10


def test_mixtures_of_a_pair_differ_between_the_views_and_are_fixed_by_the_step(tmp_path) -> None:
    networks = small_networks(tmp_path)
    batches = MixtureBatches(drawn_data_set(tmp_path, 3).samples, networks, batch_size=2, seed=0)
    batch = batches[5]
    assert batch.pixels.shape == (4, 3, 64, 64) and batch.spectrograms.shape == (2, 2, 64, 200)
    assert not torch.allclose(batch.spectrograms[0], batch.spectrograms[1], atol=0.05)
    assert torch.equal(batches[5].spectrograms, batch.spectrograms)


def test_training_makes_the_walker_come_back(tmp_path) -> None:
    """Two pictures with a sound each: after some steps the walker finds back more often than by chance."""
    networks = small_networks(tmp_path)
    high, low = drawn_data_set(tmp_path, 1).samples
    dark = replace(low, load_image=lambda: high.load_image() // 3)
    batches = MixtureBatches([high, dark], networks, batch_size=1, seed=0)
    torch.manual_seed(0)
    config = StageConfig(steps=60, warm_up_steps=5, loader_workers=0)
    trained = fit(Mixing(networks), batches, losses_of, config, tmp_path / "run", run={})
    losses = [float(losses_of(trained, batches[step], step)["return"]) for step in range(100, 110)]
    assert np.mean(losses) < 0.5 * math.log(2)


def test_the_row_has_a_mask_for_each_slot(tmp_path) -> None:
    """A slot like the features of the bright object marks it: here both slots are, so both masks are alike."""
    weights = small_weights(tmp_path / "micro.safetensors")
    torch.manual_seed(0)
    network = MixtureNetwork(small_networks(tmp_path).config)
    network.slots[1].load_state_dict(network.slots[0].state_dict())
    save_mixture(network, tmp_path / "mixture.safetensors")
    row = build_row(
        MixtureSpec(file=tmp_path / "mixture.safetensors", weights=weights), device=torch.device("cpu"), seed=0
    )
    sample = drawn_data_set(tmp_path, 1).samples[0]
    scene = LoadedSample(
        sample=sample, frame=Frame(image=sample.load_image()), window=read_window(sample.sound), objects=()
    )
    first, second = row.predict(scene).masks
    assert first.mask.shape == (64, 96) and 0 < first.mask.mean() < 1
    assert np.array_equal(first.mask, second.mask)
