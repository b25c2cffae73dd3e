"""Pictures of a collision as JPEG of bounded size: the image with masks, and a crop of each object."""

from __future__ import annotations

import cv2
import numpy as np

from cs3_model.types import UInt8Image
from cs3_ros.client import CollidingObject, Collision

MAX_SIDE_PX = 1024
"""Longest side of a picture."""
MAX_PICTURE_BYTES = 256 * 1024
"""Largest JPEG."""
_MIN_CROP_PX = 160  # what is smaller is enlarged: models see little in a few pixels
_QUALITIES = (90, 80, 60, 40)


def collision_pictures(collision: Collision) -> tuple[bytes, ...]:
    """The image with masks drawn in, then a crop of each object, what is not the object darkened.

    Returns:
        JPEGs of at most `MAX_SIDE_PX` and `MAX_PICTURE_BYTES` each; none where the collision has no image.
    """
    drawn = collision.draw()
    if drawn is None:
        return ()
    crops = (_crop(found) for found in collision.objects)
    return tuple(bounded_jpeg(picture) for picture in (drawn, *crops) if picture is not None and picture.size)


def bounded_jpeg(picture: UInt8Image) -> bytes:
    """Encodes a picture, RGB uint8 [H, W, 3], smaller and coarser until it is within the limits."""
    picture = _scaled(picture, min(1.0, MAX_SIDE_PX / max(picture.shape[:2])))
    while True:
        for quality in _QUALITIES:
            bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            _, data = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
            if data.size <= MAX_PICTURE_BYTES:
                return data.tobytes()
        picture = _scaled(picture, 0.5)


def _crop(found: CollidingObject) -> UInt8Image | None:
    if found.image_crop is None or not found.image_crop.size:
        return None
    crop = found.image_crop.copy()
    crop[~found.mask_crop] //= 4
    return _scaled(crop, max(1.0, _MIN_CROP_PX / max(crop.shape[:2])))


def _scaled(picture: UInt8Image, factor: float) -> UInt8Image:
    if factor == 1.0:
        return picture
    size_wh = tuple(max(1, round(factor * side)) for side in picture.shape[1::-1])
    scaled = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return np.asarray(scaled, np.uint8)
