"""The weakly supervised losses of CS3 (paper, section 4.1, equations 2 to 5), with the readings of what it leaves open.

The paper prints equation 2 without exponential and temperature, which would be no InfoNCE; here both are always there.
Its closest public relatives are ACL-SSL (Park et al., WACV 2024) and TCL (Cha et al., CVPR 2023).

Shape suffixes: B all images and sounds of a step, b those of one process, a some sounds, P features of the joint
space, h w pixels of a mask, s patches on a side.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

_MINMAX_THRESHOLD, _MINMAX_TEMPERATURE = 0.5, 0.07
"""Constants of ACL-SSL's soft mask."""


class AreaOf(str, enum.Enum):
    """The mask whose area the prior is about."""

    HARD = "hard"
    """The binary mask, with straight-through gradients."""
    SOFT = "soft"
    """sigmoid(w x + b), without noise."""


class Reduction(str, enum.Enum):
    """How the deviations of the areas of a batch become one number."""

    MEAN = "mean"
    SUM = "sum"
    """As printed; grows with the batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskerConfig:
    """From logits to binary masks by a Gumbel-sigmoid: where its trained sigmoid(w x + b) starts."""

    scale: float = 10.0
    """w at the start (ACL-SSL and TCL: 10)."""
    bias: float = 14.0
    """b at the start: ACL-SSL 14, for CLIPSeg's logits; TCL -2.5, for cosines."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights and readings of the losses.

    Raises:
        ValueError: if a value is out of its range.
    """

    image_weight: float = 1.0
    """lambda_i of the image-level contrast (paper: 1)."""
    feature_weight: float = 1.0
    """lambda_f of the feature-level contrast (paper: 1)."""
    area_weight: float = 1.0
    """lambda_r of the area prior (paper: 1 on EPIC-CS3, 0.1 on Ego4D-CS3)."""
    area_prior: float = 0.1
    """p+, the expected area of a mask as a share of the image (paper: 0.1)."""
    area_of: AreaOf = AreaOf.HARD
    """Not stated by the paper."""
    area_reduction: Reduction = Reduction.MEAN
    """The paper prints the sum, which with 32 images outweighs the contrasts by far."""
    temperature: float = 0.07
    """tau of both contrasts; not stated by the paper (ACL-SSL 0.07, TCL starts there)."""
    halve_contrast: bool = True
    """Half the sum of both directions (ACL-SSL); false: the sum, as the paper prints it."""
    masker: MaskerConfig = field(default_factory=MaskerConfig)
    """How hard masks are made."""

    def __post_init__(self) -> None:
        for name in ("image_weight", "feature_weight", "area_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 <= self.area_prior <= 1:
            raise ValueError(f"area_prior must be in [0, 1], got {self.area_prior}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive, got {self.temperature}")


class GumbelSigmoid(nn.Module):
    """Binary masks that gradients pass through as if they were soft."""

    def __init__(self, config: MaskerConfig) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(config.scale))
        self.bias = nn.Parameter(torch.tensor(config.bias))

    def soft(self, logits: Tensor) -> Tensor:
        """Returns sigmoid(w x + b), of any shape."""
        return torch.sigmoid(self.scale * logits + self.bias)

    def forward(self, logits: Tensor, noise: Tensor) -> Tensor:
        """Returns masks of zeros and ones with the gradient of the noisy sigmoid (straight-through).

        Args:
            logits: any shape.
            noise: of `logistic_noise`, the same shape; zeros give the mask without randomness.
        """
        soft = torch.sigmoid(self.scale * logits + self.bias + noise)
        return (soft > 0.5).to(soft.dtype) - soft.detach() + soft


def contrast(cosines_BB: Tensor, config: LossConfig) -> Tensor:
    """Returns the symmetric InfoNCE of a matrix of cosines whose diagonal is right, a scalar.

    It asks which column belongs to a row, and which row to a column.
    """
    logits_BB = cosines_BB / config.temperature
    right_B = torch.arange(len(logits_BB), device=logits_BB.device)
    by_row, by_column = (functional.cross_entropy(logits, right_B) for logits in (logits_BB, logits_BB.T))
    return (0.5 if config.halve_contrast else 1.0) * (by_row + by_column)


def logistic_noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draws the difference of two standard Gumbel variables, float32 on the generator's device."""
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    return torch.logit(uniform, eps=torch.finfo(torch.float32).eps)


def minmax_mask(logits_bahw: Tensor) -> Tensor:
    """Turns logits into soft masks that do not depend on a map's offset and scale (ACL-SSL)."""
    low, high = (extreme(logits_bahw, dim=(-2, -1), keepdim=True) for extreme in (torch.amin, torch.amax))
    stretched = (logits_bahw - low + 1e-7) / (high - low + 2e-7)
    return torch.sigmoid((stretched - _MINMAX_THRESHOLD) / _MINMAX_TEMPERATURE)


def features_under_masks(patches_bPss: Tensor, masks_bahw: Tensor) -> Tensor:
    """Averages patch features under soft masks, which are brought to the patches' size by nearest neighbours.

    Returns:
        [b, a, P].
    """
    masks_bass = functional.interpolate(masks_bahw, patches_bPss.shape[-2:])
    weights_baN = masks_bass.flatten(2) / (masks_bass.sum(dim=(-2, -1)).unsqueeze(-1) + 1e-6)
    return weights_baN @ patches_bPss.flatten(2).transpose(1, 2)


def area_loss(areas_B: Tensor, config: LossConfig) -> Tensor:
    """Returns how far the areas of the masks are from the prior, a scalar.

    Args:
        areas_B: share of each image that its mask covers, in [0, 1].
    """
    deviations_B = (areas_B - config.area_prior).abs()
    return deviations_B.mean() if config.area_reduction is Reduction.MEAN else deviations_B.sum()
