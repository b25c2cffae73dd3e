"""How well a followed mask matches the truth: J and F of the DAVIS benchmark (Perazzi et al., CVPR 2016, section 5.1)."""

from __future__ import annotations

import cv2
import numpy as np

from cs3_model.geometry import intersection_over_union
from cs3_model.types import BoolMask

_TOLERANCE = 0.008
"""Boundaries match within this share of the picture's diagonal."""


def region_similarity(predicted: BoolMask, true: BoolMask) -> float:
    """J: the IoU of two masks [H, W]; 1 where both are empty."""
    return intersection_over_union(predicted, true) if predicted.any() or true.any() else 1.0


def contour_accuracy(predicted: BoolMask, true: BoolMask) -> float:
    """F: harmonic mean of the shares of each boundary that lie near the other one.

    Args:
        predicted: bool [H, W].
        true: bool [H, W].

    Returns:
        In [0, 1]; 1 where neither mask has a boundary, 0 where one of them has none.
    """
    of_predicted, of_true = _boundary(predicted), _boundary(true)
    if not of_predicted.any() or not of_true.any():
        return float(of_predicted.any() == of_true.any())
    reach = int(np.ceil(_TOLERANCE * np.hypot(*true.shape)))
    ys, xs = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (xs * xs + ys * ys <= reach * reach).astype(np.uint8)
    precision = float(cv2.dilate(of_true.astype(np.uint8), disk)[of_predicted].mean())
    recall = float(cv2.dilate(of_predicted.astype(np.uint8), disk)[of_true].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _boundary(mask: BoolMask) -> BoolMask:
    """Pixels that differ from the next one to the right, below, or both; one pixel wide."""
    right, below, across = mask.copy(), mask.copy(), mask.copy()
    right[:, :-1] = mask[:, 1:]
    below[:-1] = mask[1:]
    across[:-1, :-1] = mask[1:, 1:]
    boundary = (mask ^ right) | (mask ^ below) | (mask ^ across)
    boundary[-1], boundary[:, -1] = mask[-1] ^ right[-1], mask[:, -1] ^ below[:, -1]
    boundary[-1, -1] = False
    return np.asarray(boundary)
