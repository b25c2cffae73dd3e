"""A textured square that moves over a textured ground, and its true masks."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from cs3_model.types import BoolMask, UInt8Image

HEIGHT, WIDTH, SIDE = 120, 160, 40


@pytest.fixture
def moving_square() -> Callable[[int, int], tuple[UInt8Image, BoolMask]]:
    """Returns a function from the place of the square's top left corner, x and y, to a picture and the true mask."""
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 180, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 1.5)
    texture = cv2.GaussianBlur(rng.integers(80, 255, (SIDE, SIDE, 3), np.uint8), (0, 0), 1.5)
    texture[..., 1:] //= 4  # red, as nothing else is

    def make(x: int, y: int) -> tuple[UInt8Image, BoolMask]:
        image, mask = ground.copy(), np.zeros((HEIGHT, WIDTH), bool)
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + SIDE, WIDTH), min(y + SIDE, HEIGHT)
        if left < right and top < bottom:
            image[top:bottom, left:right] = texture[top - y : bottom - y, left - x : right - x]
            mask[top:bottom, left:right] = True
        return image, mask

    return make
