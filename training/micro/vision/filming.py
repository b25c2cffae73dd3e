"""Pictures of the world as other people and cameras film them: hands, views, motion, light, writing, codecs.

The world's own camera (`training.simulation.rendering`) looks down on a square from a head; here is what the vision network
meets outside of it. Pictures are RGB uint8 [H, W, 3], ids uint8 [H, W] as in `training.simulation.rendering.id_map`.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from cs3_model.types import UInt8Image
from training.data.other_cameras import draw_view, recorded
from training.micro.vision.scenes import MAX_OBJECTS, Objects
from training.simulation.rendering.id_map import LEFT_HAND_ID, RIGHT_HAND_ID, TABLE_ID
from training.simulation.rendering.sensor import blur_motion

_HANDS = (LEFT_HAND_ID, RIGHT_HAND_ID)
_PALEST, _DARKEST = np.array([246.0, 215.0, 192.0]), np.array([66.0, 43.0, 32.0])
"""Skin, sRGB; the tones lie between."""
_HAND_SHARE = 0.002
"""Of the view: where less of a hand is seen, it holds nothing."""


def filmed(
    rng: np.random.Generator, image: UInt8Image, ids: UInt8Image, objects: Objects, side: int
) -> tuple[UInt8Image, UInt8Image, Objects]:
    """One draw of all of it, in the square that the network sees.

    Args:
        rng: draws.
        image: the picture.
        ids: what is seen in it.
        objects: what is known about it.
        side: rows and columns of the square, even.

    Returns:
        Picture and ids [side, side], and the objects, held only by hands that the view shows.
    """
    image = _repainted(rng, image, ids)
    image = _moving(rng, image, ids, objects)
    view = draw_view(rng, ids.shape, side)
    image, ids = view.of(image, ids)
    if view.is_mirrored:
        ids, objects = _MIRRORED[ids], objects._replace(held=objects.held[:, ::-1])
    image = recorded(rng, image)
    shown = np.array([(ids == hand).mean() >= _HAND_SHARE for hand in _HANDS])
    return (*view.in_square(image, ids), objects._replace(held=objects.held & shown))


_MIRRORED = np.arange(256, dtype=np.uint8)
_MIRRORED[[LEFT_HAND_ID, RIGHT_HAND_ID]] = RIGHT_HAND_ID, LEFT_HAND_ID


def _repainted(rng: np.random.Generator, image: UInt8Image, ids: UInt8Image) -> UInt8Image:
    """Bare arms, gloves and sleeves of any colour; other tables and walls; painted objects."""
    kind = rng.choice(3, p=(0.35, 0.4, 0.25))
    if kind:
        tone = _PALEST + rng.random() * (_DARKEST - _PALEST) if kind == 1 else _colour(rng)
        image = painted(image, np.isin(ids, _HANDS), tone, rng.uniform(0.7, 1.0))
    for surface in (TABLE_ID, 0):
        if rng.random() < 0.4:
            image = painted(image, ids == surface, _colour(rng), rng.uniform(0.3, 0.9))
    if rng.random() < 0.5:
        for number in np.unique(ids):
            if 0 < number <= MAX_OBJECTS and rng.random() < 0.3:
                image = painted(image, ids == number, _colour(rng), rng.uniform(0.3, 0.9))
    return image


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Mostly dull ones, as things have."""
    grey = rng.uniform(15, 245)
    return grey + rng.uniform(0, 0.7) * (rng.uniform(15, 245, 3) - grey)


def painted(image: UInt8Image, region: np.ndarray, colour: np.ndarray, strength: float) -> UInt8Image:
    """Gives a region, bool [H, W], a colour in place of its own and leaves it its light and shadow.

    Args:
        image: the picture.
        region: what is painted.
        colour: RGB in [0, 255], of what has the region's median brightness.
        strength: 0 leaves it as it is, 1 paints it over.
    """
    if not region.any():
        return image
    own = image[region].astype(np.float32)
    brightness = own.mean(1, keepdims=True)
    shading = np.clip(brightness / max(float(np.median(brightness)), 8.0), 0.3, 2.0)
    image = image.copy()
    image[region] = np.clip(own + strength * (colour * shading - own), 0, 255).astype(np.uint8)
    return image


def _moving(rng: np.random.Generator, image: UInt8Image, ids: UInt8Image, objects: Objects) -> UInt8Image:
    """What a hand strikes with is smeared, or all of the picture, as by a slow shutter."""
    longest = 0.05 * image.shape[1]
    side = int(rng.integers(2))
    moving = np.isin(ids, [*np.flatnonzero(objects.held[:, side]), _HANDS[side]])
    strike, shake = (
        rng.uniform(-longest, longest, 2) * (rng.random() < share) * factor
        for share, factor in ((0.4, 1.0), (0.2, 0.4))
    )
    if not (strike.any() or shake.any()):
        return image
    return cast(
        UInt8Image,
        np.clip(blur_motion(image.astype(np.float32), moving, strike + shake, shake), 0, 255).astype(np.uint8),
    )
