"""What a camera does to a rendered picture: motion blur, exposure, white balance, vignette and sensor noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensor:
    """The settings of one camera in one scene."""

    exposure: float
    """Factor on linear light."""
    white_balance: tuple[float, float, float]
    """Factors on linear red, green and blue."""
    noise: float
    """Standard deviation at mid grey, in units of 1/255."""
    vignette: float
    """Loss of light in the corners, as a fraction."""
    shutter_s: float
    """Exposure time, which sets the motion blur."""


def sensor(rng: np.random.Generator) -> Sensor:
    """Draws a camera."""
    warm = rng.normal(0.0, 0.05)
    return Sensor(
        exposure=float(np.exp2(rng.normal(0.0, 0.22))),
        white_balance=(float(np.exp(warm)), float(np.exp(rng.normal(0.0, 0.015))), float(np.exp(-warm))),
        noise=float(rng.uniform(0.5, 2.6)),
        vignette=float(rng.uniform(0.0, 0.3)),
        shutter_s=float(rng.uniform(0.003, 0.016)),
    )


def expose(rng: np.random.Generator, picture: Picture, settings: Sensor) -> Picture:
    """Applies exposure, white balance, vignette and noise to an sRGB picture [H, W, 3]."""
    height, width = picture.shape[:2]
    gain = settings.exposure * np.array(settings.white_balance)
    # 2.2 stands for the sRGB curve: a factor on linear light is a power-law factor on sRGB.
    light = picture.astype(np.float32) * (gain ** (1 / 2.2)).astype(np.float32)
    y = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None]
    light *= (1.0 - settings.vignette * 0.5 * (x * x + y * y))[..., None]
    over = light > 235.0  # a soft shoulder instead of hard clipping
    light = np.where(over, 235.0 + 20.0 * (1.0 - np.exp(-(light - 235.0) / 20.0)), light)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) + 0.5 * rng.standard_normal(
        (height, width, 3), dtype=np.float32
    )
    light += grain * settings.noise * np.sqrt(np.maximum(light, 8.0) / 128.0)
    return np.clip(light, 0.0, 255.0).astype(np.uint8)


def blur_motion(
    picture: Picture, moving: npt.NDArray[np.bool_], object_shift: npt.ArrayLike, camera_shift: npt.ArrayLike
) -> Picture:
    """Smears a picture as the shutter would.

    Args:
        picture: RGB [H, W, 3].
        moving: Pixels of what moves by itself, [H, W].
        object_shift: How far that moves during the exposure, pixels (x, y), camera motion included.
        camera_shift: How far everything else moves, pixels (x, y).
    """
    still = _smear(picture, camera_shift)
    if not moving.any():
        return still
    weight = _smear(moving.astype(np.float32), object_shift)[..., None]
    masked = picture.astype(np.float32) * moving[..., None]
    front = _smear(masked, object_shift)
    return np.clip(front + still.astype(np.float32) * (1.0 - weight), 0.0, 255.0).astype(np.uint8)


def _smear(image: npt.NDArray, shift: npt.ArrayLike) -> npt.NDArray:
    dx, dy = np.clip(np.asarray(shift, float), -25.0, 25.0)
    length = float(np.hypot(dx, dy))
    if length < 0.6:
        return image
    size = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((size, size), np.float32)
    for share in np.linspace(-0.5, 0.5, 4 * size):
        x, y = size // 2 + share * dx, size // 2 + share * dy
        column, row = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - column, y - row
        kernel[row, column] += (1 - fx) * (1 - fy)
        kernel[row, column + 1] += fx * (1 - fy)
        kernel[row + 1, column] += (1 - fx) * fy
        kernel[row + 1, column + 1] += fx * fy
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
