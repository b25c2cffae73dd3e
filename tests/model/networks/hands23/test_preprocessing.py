from __future__ import annotations

import numpy as np
import pytest
import torch

from cs3_model.networks.hands23.config import Hands23InputSize
from cs3_model.networks.hands23.preprocessing import preprocess

CPU = torch.device("cpu")


def test_channels_become_normalised_bgr() -> None:
    image = np.broadcast_to(np.array([200, 100, 50], np.uint8), (40, 40, 3)).copy()
    pixels, _ = preprocess(image, Hands23InputSize(short_side=64, max_side=64), device=CPU, dtype=torch.float32)
    expected = [(50 - 103.530) / 57.375, (100 - 116.280) / 57.120, (200 - 123.675) / 58.395]
    assert pixels[0, :, 10, 10].tolist() == pytest.approx(expected, abs=1e-6)


def test_the_image_is_padded_with_zeros_at_the_right_and_the_bottom() -> None:
    image = np.full((30, 50, 3), 255, np.uint8)
    pixels, size_hw = preprocess(image, Hands23InputSize(short_side=60, max_side=100), device=CPU, dtype=torch.float32)
    assert size_hw == (60, 100)
    assert pixels.shape == (1, 3, 64, 128)
    assert (pixels[0, :, :60, :100] > 1).all()
    assert not pixels[0, :, 60:].any() and not pixels[0, :, :, 100:].any()
