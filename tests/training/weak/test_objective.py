"""The objective against every pair computed alone, and where its gradients go."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from cs3_model.networks.audio_visual import build_debug_audio_visual_network
from tests.training.weak.test_losses import literal_info_nce
from training.weak.clipseg_model import CLIPSegModel
from training.weak.losses import AreaOf, LossConfig, Reduction, logistic_noise
from training.weak.objective import Compute, Losses, WeakObjective

BATCH = 3


def build(config: LossConfig | None = None, compute: Compute | None = None) -> WeakObjective:
    torch.manual_seed(0)
    model = CLIPSegModel(build_debug_audio_visual_network(), name="tiny", pooling_dropout=0.0)
    objective = WeakObjective(model, config, compute=compute)
    with torch.no_grad():  # the random decoder's logits are near 0, where ACL's bias of 14 fills all masks
        objective.masker.bias.zero_()
    return objective.train()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    sounds = torch.randn(BATCH, 3200, generator=generator) * torch.tensor([[0.01], [0.1], [0.9]])
    prepare = build().model.prepare_sound
    return torch.randn(BATCH, 3, 64, 64, generator=generator), torch.stack([prepare(s.numpy()) for s in sounds])


def noise_source() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def numbers(losses: Losses) -> dict[str, float]:
    return {name: float(getattr(losses, name)) for name in Losses.__slots__}


def literal_losses(objective: WeakObjective, pixels: Tensor, sounds: Tensor, config: LossConfig) -> dict[str, float]:
    """Equations 2 to 5, pair by pair, with transformers' own forward pass."""
    clipseg = objective.model.network.clipseg
    w, b = float(objective.masker.scale), float(objective.masker.bias)
    conditions = [objective.model.embed_sounds(sound[None])[0] for sound in sounds]
    noise = logistic_noise((BATCH, 64, 64), noise_source())
    image_cosines, feature_cosines = np.zeros((BATCH, BATCH)), np.zeros((BATCH, BATCH))
    deviations, areas = [], []
    for i in range(BATCH):
        patches = clipseg.image_and_patch_features(pixels[i : i + 1])[1][0]
        for j in range(BATCH):
            logits = clipseg.model(pixel_values=pixels[i : i + 1], conditional_embeddings=conditions[j][None]).logits
            logits = logits.reshape(64, 64)
            plain_soft = 1 / (1 + torch.exp(-(w * logits + b)))
            if i == j:
                mask = (w * logits + b + noise[i] > 0).float()
                area = float(plain_soft.mean() if config.area_of is AreaOf.SOFT else mask.mean())
                deviations.append(abs(area - config.area_prior))
                areas.append(float(mask.mean()))
                embedded = clipseg.model.clip.get_image_features(pixels[i : i + 1] * mask).pooler_output[0]
                image_cosines[i] = [float(cosine_similarity(embedded, a, dim=0)) for a in conditions]
            stretched = (logits - logits.min()) / (logits.max() - logits.min())
            soft = (1 / (1 + torch.exp(-(stretched - 0.5) / 0.07)))[::16, ::16]  # 64 pixels, 4 patches
            pooled = sum(soft[y, x] * patches[:, y, x] for y in range(4) for x in range(4)) / soft.sum()
            feature_cosines[i, j] = float(cosine_similarity(pooled, conditions[j], dim=0))
    share = 0.5 if config.halve_contrast else 1.0
    image = share * literal_info_nce(image_cosines, config.temperature)
    feature = share * literal_info_nce(feature_cosines, config.temperature)
    area = sum(deviations) / (BATCH if config.area_reduction is Reduction.MEAN else 1)
    total = config.image_weight * image + config.feature_weight * feature + config.area_weight * area
    assert all(0.05 < area < 0.95 for area in areas), "masks must cut something out"
    return {"total": total, "image": image, "feature": feature, "area": area}


@pytest.mark.parametrize(
    "config",
    [
        LossConfig(),
        LossConfig(image_weight=0.5, feature_weight=2.0, area_weight=0.1, area_prior=0.4, temperature=0.2),
        LossConfig(halve_contrast=False, area_reduction=Reduction.SUM),
        LossConfig(area_of=AreaOf.SOFT),
    ],
    ids=["paper", "weights", "sums as printed", "soft areas"],
)
@torch.no_grad()
def test_losses_equal_the_equations_pair_by_pair(config) -> None:
    pixels, sounds = batch()
    objective = build(config)
    losses = numbers(objective(pixels, sounds, noise_source()))
    for name, expected in literal_losses(objective, pixels, sounds, config).items():
        assert losses[name] == pytest.approx(expected, rel=1e-4), name


def gradients(objective: WeakObjective) -> dict[str, Tensor]:
    objective(*batch(), noise_source()).total.backward()
    return {name: parameter.grad for name, parameter in objective.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("only", ["image_weight", "feature_weight", "area_weight"])
def test_each_loss_alone_trains_the_audio_part_and_nothing_frozen(only) -> None:
    weights = dict.fromkeys(("image_weight", "feature_weight", "area_weight"), 0.0) | {only: 1.0}
    objective = build(LossConfig(**weights))
    found = gradients(objective)
    trained = {name for name, parameter in objective.named_parameters() if parameter.requires_grad}
    assert found.keys() == trained
    assert not any("clipseg" in name for name in trained)
    for part in ("beats.patch_embedding", "beats.encoder.layers.2", "audio_token.projection", "audio_token.pooling"):
        largest = max(float(grad.abs().max()) for name, grad in found.items() if part in name)
        assert math.isfinite(largest) and largest > 1e-8, part


def test_the_model_names_every_trained_parameter_once() -> None:
    objective = build()
    earlier, new = objective.model.trained_parameters()
    named = [id(parameter) for parameter in (*earlier, *new)]
    assert sorted(named) == sorted({id(p) for p in objective.model.parameters() if p.requires_grad})


@pytest.mark.parametrize(
    "compute",
    [Compute(max_pairs=1), Compute(max_pairs=6, recompute=True, max_images=2), Compute(recompute=True)],
    ids=["one sound at a time", "two at a time, recomputed", "recomputed"],
)
def test_chunks_and_recomputation_change_nothing(compute) -> None:
    expected, found = gradients(build()), gradients(build(compute=compute))
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


def record_networks(objective: WeakObjective, inputs: dict[str, tuple] | None = None) -> dict[str, tuple]:
    """Runs the objective; returns (arguments, result) of each network, which gets the `inputs` instead of its own."""
    calls: dict[str, tuple] = {}
    for name in ("embed_sounds", "encode_images", "decode", "embed_images"):
        network = getattr(objective.model, name)

        def call(*arguments, name=name, network=network):
            arguments = inputs[name] if inputs else arguments
            calls[name] = arguments, network(*arguments)
            return calls[name][1]

        setattr(objective.model, name, call)
    with torch.no_grad():
        objective(*batch(), noise_source())
    return calls


def test_networks_in_bfloat16_differ_from_float32_by_rounding_alone() -> None:
    """Each layer rounds by at most 2^-8 of its values; over all layers such errors add up like a random walk.

    Networks are compared one by one on equal inputs, and not by the losses: one pixel that falls to the other side of
    the mask's threshold changes those by more than rounding does.
    """
    exact = record_networks(build())
    rough = record_networks(build(compute=Compute(bfloat16=True)), {name: call[0] for name, call in exact.items()})
    layers = [module for module in build().model.modules() if list(module.parameters(recurse=False))]
    bound = math.sqrt(len(layers)) * 2**-8
    assert bound < 0.05
    for name, (_, expected) in exact.items():
        found = rough[name][1]
        if name == "encode_images":  # the other half is what the decoder makes of it
            expected, found = expected[1], found[1]
        error = torch.linalg.vector_norm(found.float() - expected) / torch.linalg.vector_norm(expected)
        assert 0 < error < bound, name


def test_losses_and_gradients_are_float32_where_networks_run_in_bfloat16() -> None:
    objective = build(compute=Compute(bfloat16=True))
    losses = objective(*batch(), noise_source())
    assert all(getattr(losses, name).dtype == torch.float32 for name in losses.__slots__)
    assert all(gradient.dtype == torch.float32 for gradient in gradients(objective).values())


def test_masks_smaller_than_the_image_are_stretched_over_it() -> None:
    objective = build()
    decode = objective.model.decode
    objective.model.decode = lambda *arguments: decode(*arguments)[..., ::4, ::4]
    assert torch.isfinite(objective(*batch(), noise_source()).total)


def test_frozen_parts_stay_in_evaluation_mode() -> None:
    objective = build()
    assert objective.training and objective.model.network.beats.training
    assert not any(module.training for module in objective.model.network.clipseg.modules())
