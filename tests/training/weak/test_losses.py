"""Each loss against its equation, written out slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.weak.losses import (
    GumbelSigmoid,
    LossConfig,
    MaskerConfig,
    Reduction,
    area_loss,
    contrast,
    features_under_masks,
    logistic_noise,
    minmax_mask,
)


def literal_info_nce(cosines: np.ndarray, temperature: float) -> float:
    """Equation 2 with the exponential that its print lacks: both directions, averaged over the batch."""
    total, count = 0.0, len(cosines)
    for i in range(count):
        own = math.exp(cosines[i, i] / temperature)
        total -= math.log(own / sum(math.exp(cosines[i, j] / temperature) for j in range(count))) / count
        total -= math.log(own / sum(math.exp(cosines[j, i] / temperature) for j in range(count))) / count
    return total


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_the_contrast_is_symmetric_info_nce(temperature) -> None:
    cosines = np.random.default_rng(0).uniform(-1, 1, (5, 5))
    expected = literal_info_nce(cosines, temperature)
    summed = contrast(torch.tensor(cosines), LossConfig(temperature=temperature, halve_contrast=False))
    assert float(summed) == pytest.approx(expected, rel=1e-6)
    halved = contrast(torch.tensor(cosines), LossConfig(temperature=temperature))
    assert float(halved) == pytest.approx(expected / 2, rel=1e-6)


def test_the_contrast_of_equal_cosines_is_the_logarithm_of_the_batch() -> None:
    assert float(contrast(torch.full((8, 8), 0.3), LossConfig())) == pytest.approx(math.log(8))


def test_hard_masks_are_binary_with_the_gradient_of_the_noisy_sigmoid() -> None:
    masker = GumbelSigmoid(MaskerConfig(scale=2.0, bias=-1.0))
    logits = torch.tensor([-1.0, 0.4, 0.6, 3.0], requires_grad=True)
    noise = torch.tensor([0.0, 0.3, -0.3, 0.0])
    mask = masker(logits, noise)
    assert mask.tolist() == [0.0, 1.0, 0.0, 1.0]  # the signs of 2x - 1 + noise: -3, 0.1, -0.1, 5
    mask.sum().backward()
    soft = 1 / (1 + np.exp(-(2 * logits.detach().numpy() - 1 + noise.numpy())))
    np.testing.assert_allclose(logits.grad, soft * (1 - soft) * 2, rtol=1e-5)
    np.testing.assert_allclose(masker.bias.grad, (soft * (1 - soft)).sum(), rtol=1e-5)


def test_the_masker_starts_like_acl_and_is_trained() -> None:
    masker = GumbelSigmoid(MaskerConfig())
    assert masker.soft(torch.tensor(-1.4)).item() == pytest.approx(0.5)  # 10 * -1.4 + 14 = 0
    assert all(parameter.requires_grad for parameter in masker.parameters())


def test_noise_is_the_difference_of_two_gumbel_variables() -> None:
    noise = logistic_noise((200, 500), torch.Generator().manual_seed(0))
    gumbel = np.random.default_rng(0).gumbel(size=(2, 100_000))
    at = [5, 25, 50, 75, 95]
    np.testing.assert_allclose(np.percentile(noise, at), np.percentile(gumbel[0] - gumbel[1], at), atol=0.05)
    assert torch.isfinite(noise).all()
    assert torch.equal(noise, logistic_noise((200, 500), torch.Generator().manual_seed(0)))


def test_soft_masks_do_not_depend_on_offset_and_scale_of_a_map() -> None:
    logits = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mask = minmax_mask(logits)
    torch.testing.assert_close(mask, minmax_mask(40 * logits - 7), atol=1e-4, rtol=1e-4)
    ends = 1 / (1 + math.exp(0.5 / 0.07))
    assert float(mask.min()) == pytest.approx(ends, abs=1e-5) and float(mask.max()) == pytest.approx(1 - ends, abs=1e-5)


def test_features_are_averaged_under_masks_of_any_size() -> None:
    """A mask of 4 x 4 pixels over 2 x 2 patches: nearest neighbours take its every other pixel."""
    patches = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [10.0, 0.0]]]])
    mask = torch.zeros(1, 2, 4, 4)
    mask[0, 0, 2, 0] = mask[0, 0, 1, 1] = 1.0  # patch (1, 0); the other pixel is skipped
    mask[0, 1, 0, 0], mask[0, 1, 2, 2] = 0.25, 0.75
    pooled = features_under_masks(patches, mask)
    torch.testing.assert_close(pooled, torch.tensor([[[3.0, 10.0], [0.25 * 1 + 0.75 * 4, 0.0]]]), atol=1e-4, rtol=1e-4)


def test_the_area_prior_is_the_mean_or_the_printed_sum_of_deviations() -> None:
    areas = torch.tensor([0.0, 0.1, 0.5])
    assert float(area_loss(areas, LossConfig())) == pytest.approx((0.1 + 0.0 + 0.4) / 3)
    as_printed = LossConfig(area_reduction=Reduction.SUM, area_prior=0.2)
    assert float(area_loss(areas, as_printed)) == pytest.approx(0.2 + 0.1 + 0.3)


@pytest.mark.parametrize(
    ("field", "value"), [("image_weight", -1.0), ("area_prior", 1.5), ("temperature", 0.0), ("area_weight", math.nan)]
)
def test_values_out_of_range_are_refused(field, value) -> None:
    with pytest.raises(ValueError, match=rf"{field} must be .*{value}"):
        LossConfig(**{field: value})
