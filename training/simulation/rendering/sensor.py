"""The camera's sensor: blur, exposure, white balance, vignette, sensor noise and tone curve.

Pictures are linear light, float32 [H, W, 3], until `develop` makes them sRGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Light = npt.NDArray[np.float32]

_BRIGHT = 0.55
"""Linear light to which the exposure brings the bright parts of a scene (their 90th percentile)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensor:
    """The settings of one camera in one scene."""

    exposure: float
    """Factor on the light after the automatic exposure."""
    white_balance: tuple[float, float, float]
    """Factors on linear red, green and blue."""
    saturation: float
    """1 keeps colours, 0 makes them grey."""
    noise: float
    """Standard deviation at full light, as a fraction of it; it grows with the root of the light."""
    vignette: float
    """Loss of light in the corners, as a fraction."""
    shutter_s: float
    """Exposure time, which sets the motion blur."""


def draw_sensor(rng: np.random.Generator) -> Sensor:
    """Draws the settings of a camera."""
    warm = rng.normal(0.0, 0.06)
    return Sensor(
        exposure=float(np.exp2(rng.normal(0.0, 0.3))),
        white_balance=(float(np.exp(warm)), float(np.exp(rng.normal(0.0, 0.02))), float(np.exp(-warm))),
        saturation=float(rng.uniform(0.75, 1.0)),
        noise=float(rng.uniform(0.004, 0.016)),
        vignette=float(rng.uniform(0.0, 0.35)),
        shutter_s=float(rng.uniform(0.003, 0.016)),
    )


def metered(light: Light) -> float:
    """The factor on `light` that an automatic exposure would choose."""
    return _BRIGHT / max(float(np.percentile(light[::4, ::4].mean(2), 90.0)), 0.02)


def soften_edges(light: Light, geom_ids: npt.NDArray[np.int32]) -> Light:
    """Smooths the steps of the rendering along the outlines of geoms, whose ids [H, W] are known."""
    edge = np.zeros(geom_ids.shape, bool)
    across, down = geom_ids[:, 1:] != geom_ids[:, :-1], geom_ids[1:] != geom_ids[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.where(edge[..., None], cv2.GaussianBlur(light, (5, 5), 0.9), light)


def develop(rng: np.random.Generator, light: Light, settings: Sensor, gain: float) -> npt.NDArray[np.uint8]:
    """Turns light into an sRGB picture, uint8 [H, W, 3].

    Args:
        rng: Draws the noise.
        light: Linear light.
        settings: The camera.
        gain: The automatic exposure, see `metered`.
    """
    height, width = light.shape[:2]
    # The blur of lens and colour filter; it also smooths the edges and the coarse steps of the rendering.
    lens = np.array([0.2, 0.6, 0.2], np.float32)
    light = cv2.sepFilter2D(light, -1, lens, lens, borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)
    light = light * (np.array(settings.white_balance) * settings.exposure * gain).astype(np.float32)
    grey = light.mean(2, keepdims=True)
    light = grey + (light - grey) * np.float32(settings.saturation)
    y = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None]
    light *= (1.0 - settings.vignette * 0.5 * (x * x + y * y))[..., None]
    grain = rng.standard_normal((height, width, 3), dtype=np.float32)
    light += grain * np.float32(settings.noise) * np.sqrt(np.maximum(light, 0.01))
    light = np.maximum(light, 0.0)
    shoulder = 1.0 - 0.3 * np.exp(-(light - 0.7) / 0.3)  # highlights roll off instead of clipping
    light = np.where(light > 0.7, shoulder, light)
    srgb = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return np.clip(srgb * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)


def blur_motion(
    light: Light, moving: npt.NDArray[np.bool_], object_shift: npt.ArrayLike, camera_shift: npt.ArrayLike
) -> Light:
    """Smears a picture as the shutter would.

    Args:
        light: Linear light.
        moving: Pixels of what moves by itself, [H, W].
        object_shift: How far that moves during the exposure, pixels (x, y), camera motion included.
        camera_shift: How far everything else moves, pixels (x, y).
    """
    still = _smear(light, camera_shift)
    if not moving.any():
        return still
    weight = _smear(moving.astype(np.float32), object_shift)[..., None]
    masked = light * moving[..., None]
    front = _smear(masked, object_shift)
    return front + still * (1.0 - weight)


def _smear(image: Light, shift: npt.ArrayLike) -> Light:
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
    smeared = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return smeared.astype(np.float32, copy=False)
