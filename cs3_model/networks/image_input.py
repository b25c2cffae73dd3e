"""From a camera image to the pixels that CLIPSeg's vision encoder reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cs3_model.types import UInt8Image


@dataclass(frozen=True, kw_only=True, slots=True)
class Normalisation:
    """Mean and standard deviation of R, G and B, of values in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""What the published CLIPSeg weights' own image processor applies."""
CLIP = Normalisation(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
"""What CLIP was trained with, and what ACL-SSL puts in front of CLIPSeg."""


def image_pixels(image: UInt8Image, *, size: int, normalisation: Normalisation = IMAGENET) -> Tensor:
    """Resizes to a square and normalises, as ``transformers.ViTImageProcessor`` does for the published weights.

    The aspect ratio is not kept. Bilinear with antialiasing, rounded to whole grey levels before normalisation.

    Args:
        image: RGB uint8 [H, W, 3], any size.
        size: side of the square, pixels.

    Returns:
        float32 [1, 3, size, size] on the CPU.
    """
    # A channels-last view takes the resize's fast path. torch warns of arrays that it must not write to.
    pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).permute(2, 0, 1).unsqueeze(0)
    pixels = functional.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (normalisation.mean, normalisation.std))
    return torch.addcmul(-mean / std, pixels.float(), 1 / (255 * std))
