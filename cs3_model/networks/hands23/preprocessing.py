"""From an RGB image to the network's input, as detectron2's default predictor prepares it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from cs3_model.networks.hands23.config import Hands23InputSize
from cs3_model.types import UInt8Image

MEAN_BGR = (103.530, 116.280, 123.675)
STD_BGR = (57.375, 57.120, 58.395)
SIZE_DIVISOR = 32


def preprocess(
    image: UInt8Image, input_size: Hands23InputSize, *, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, tuple[int, int]]:
    """Resizes, reorders, normalises and pads.

    Pillow's bilinear filter smooths while it shrinks, which OpenCV's does not: the checkpoint was trained on the former.

    Args:
        image: RGB, uint8 [H, W, 3].
        input_size: size after resizing.
        device: where the network lives.
        dtype: of the network's weights.

    Returns:
        Normalised BGR, [1, 3, H', W'], padded at the right and the bottom with zeros to multiples of 32, and the
        height and width without that padding.
    """
    height, width = input_size.resized_hw(*image.shape[:2])
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(resized)).to(device).flip(-1).float()
    normalised = (pixels - pixels.new_tensor(MEAN_BGR)) / pixels.new_tensor(STD_BGR)
    padded = F.pad(normalised.permute(2, 0, 1), (0, -width % SIZE_DIVISOR, 0, -height % SIZE_DIVISOR))
    return padded[None].to(dtype), (height, width)
