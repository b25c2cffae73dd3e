"""True masks from PNG files: one label map for all objects, or one file per object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.types import BoolMask
from training.data.samples import SampleError

_MAX_OBJECTS = 2
_ASPECT_TOLERANCE = 0.02


def read_label_map(path: Path, size_hw: tuple[int, int]) -> tuple[BoolMask, ...]:
    """Reads a map in which each grey value or colour other than black is one object.

    Args:
        path: A PNG file: grey, palette or colour; transparency is ignored.
        size_hw: Size of the picture. Maps of another resolution are scaled to it without smoothing.

    Returns:
        One or two masks, bool [H, W], ordered by value.

    Raises:
        SampleError: if the file is missing, broken, of another aspect ratio, or shows no or more than two objects.
    """
    labels, values = _read_labels(path)
    if not 1 <= values.size <= _MAX_OBJECTS:
        raise SampleError(
            f"{path}: expected one or two objects, each in one value other than 0, got {values.size} values: "
            "is it smoothed, or JPEG-compressed?"
        )
    return tuple(_fit(labels == value, size_hw, path) for value in values)


def read_object_masks(paths: Sequence[Path], size_hw: tuple[int, int]) -> tuple[BoolMask, ...]:
    """Reads files that show one object each; all but black belongs to it.

    Args:
        paths: One or two PNG files.
        size_hw: Size of the picture, as in `read_label_map`.

    Raises:
        SampleError: if a file is missing, broken, empty or of another aspect ratio, or there are more than two.
    """
    if not 1 <= len(paths) <= _MAX_OBJECTS:
        raise SampleError(f"{paths[0].parent}: expected one or two mask files, got {len(paths)}")
    masks = []
    for path in paths:
        labels, values = _read_labels(path)
        if values.size != 1:
            raise SampleError(f"{path}: expected one object, in one value other than 0, got {values.size} values")
        masks.append(_fit(labels > 0, size_hw, path))
    return tuple(masks)


def _read_labels(path: Path) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The label of every pixel, 0 for black, and the labels that occur."""
    if not path.is_file():
        raise SampleError(f"{path} does not exist")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SampleError(f"{path} is not an image that OpenCV can read: expected a PNG mask")
    labels: npt.NDArray[np.uint32]
    if image.ndim == 2:
        labels = image.astype(np.uint32)
    else:
        blue, green, red = (image[..., channel].astype(np.uint32) for channel in range(3))
        labels = blue | green << np.uint32(8) | red << np.uint32(16)
    values = np.unique(labels)
    return labels, values[values > 0]


def _fit(mask: BoolMask, size_hw: tuple[int, int], path: Path) -> BoolMask:
    if mask.shape == size_hw:
        return mask
    (height, width), (wanted_height, wanted_width) = mask.shape, size_hw
    if abs(width * wanted_height / (height * wanted_width) - 1) > _ASPECT_TOLERANCE:
        raise SampleError(
            f"{path}: expected a mask of the picture's shape, {wanted_width} x {wanted_height}, got {width} x {height}"
        )
    scaled = cv2.resize(mask.view(np.uint8), (wanted_width, wanted_height), interpolation=cv2.INTER_NEAREST_EXACT)
    return scaled.astype(bool)
