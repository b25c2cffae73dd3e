"""Pixel geometry of boolean masks: boxes, overlap, and the exact distance between masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.types import BoolMask, BoxXYXY

_MAX_GRID_SIDE = 160
_SINGLE_KD_TREE, _EXACT = 4, -1
"""Parameters of FLANN: the tree for few dimensions, and a search that does not stop early."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskDistance:
    """Where two masks are nearest."""

    distance_px: float
    """Euclidean distance between the nearest pixel centres; 0 if the masks overlap, 1 if they are side by side."""
    first_xy: tuple[float, float]
    """The pixel of the first mask that is nearest to the second."""
    second_xy: tuple[float, float]
    """The pixel of the second mask that is nearest to the first."""


def mask_to_box_xyxy(mask: BoolMask) -> BoxXYXY:
    """The tight box of a mask [H, W], maximum edges exclusive; all zeros if the mask is empty."""
    y_min, y_max = _extent(np.asarray(mask.any(axis=1)))
    x_min, x_max = _extent(np.asarray(mask[y_min:y_max].any(axis=0)))
    return (float(x_min), float(y_min), float(x_max), float(y_max))


def intersection_over_union(first: BoolMask, second: BoolMask) -> float:
    """IoU of two masks [H, W], in [0, 1]; 0 if both are empty."""
    intersection = np.count_nonzero(first & second)
    union = np.count_nonzero(first) + np.count_nonzero(second) - intersection
    return intersection / union if union else 0.0


def closest_pair(masks: Sequence[BoolMask]) -> tuple[int, int, MaskDistance]:
    """The two nearest of several non-empty masks [H, W], and their exact distance, fast at any resolution.

    Each mask is reduced to a grid of s x s blocks (a block is set where any of its pixels is) of at most 160 blocks a
    side, and distance transforms give the smallest distance d between set blocks. A pixel lies less than s from the
    corner of its block along each axis, so the distance of two pixels differs from s times that of their blocks by at
    most e = sqrt(2) (s - 1). Two masks are therefore between s d - e and s d + e apart, and only pairs that can be the
    nearest are searched pixel by pixel, in blocks at most d + 2 e / s apart.

    Returns:
        The indices of the two, rising, and where they are nearest. Of pairs at equal distance the first in the order
        of `itertools.combinations`.

    Raises:
        ValueError: if there are less than two masks, their shapes differ, or one is empty.
    """
    if len(masks) < 2:
        raise ValueError(f"a pair needs at least two masks, got {len(masks)}")
    for mask in masks:
        if mask.shape != masks[0].shape:
            raise ValueError(f"masks must have one shape, got {list(masks[0].shape)} and {list(mask.shape)}")
    block = -(-max(masks[0].shape) // _MAX_GRID_SIDE)
    error = np.sqrt(2) * (block - 1)
    grids = [_any_in_blocks(mask, block) for mask in masks]
    if not all(grid.any() for grid in grids):
        raise ValueError("masks must not be empty")
    to_grid = [_distance_to(grid) for grid in grids]
    pairs = list(combinations(range(len(masks)), 2))
    grid_distances = [float(to_grid[second][grids[first]].min()) for first, second in pairs]
    limit = block * min(grid_distances) + error + 1e-3
    nearest: tuple[int, int, MaskDistance] | None = None
    for (first, second), grid_distance in zip(pairs, grid_distances, strict=True):
        least = max(0.0, block * grid_distance - error)
        if least > limit or (nearest is not None and least >= nearest[2].distance_px):
            continue
        reach = grid_distance + 2 * error / block + 1e-3
        first_near = grids[first] & (to_grid[second] <= reach)
        second_near = grids[second] & (to_grid[first] <= reach)
        found = _search_pixels(masks[first], masks[second], first_near, second_near, block)
        if nearest is None or found.distance_px < nearest[2].distance_px:
            nearest = first, second, found
    assert nearest is not None
    return nearest


def _search_pixels(
    first: BoolMask, second: BoolMask, first_near: BoolMask, second_near: BoolMask, block: int
) -> MaskDistance:
    """The nearest pixels of two masks, which lie in the given blocks."""
    if (first_near & second_near).any() and (overlap := first & second).any():
        middle = _middle_pixel(overlap)
        return MaskDistance(distance_px=0.0, first_xy=middle, second_xy=middle)
    first_xy, second_xy = _edge_pixels(first, first_near, block), _edge_pixels(second, second_near, block)
    tree = cv2.flann.Index(second_xy.astype(np.float32), {"algorithm": _SINGLE_KD_TREE})
    indices_N1, squares_N1 = tree.knnSearch(first_xy.astype(np.float32), 1, params={"checks": _EXACT})
    nearest = int(squares_N1.argmin())
    return MaskDistance(
        distance_px=float(squares_N1[nearest, 0]) ** 0.5,
        first_xy=_point(first_xy[nearest]),
        second_xy=_point(second_xy[indices_N1[nearest, 0]]),
    )


def _extent(is_set: npt.NDArray[np.bool_]) -> tuple[int, int]:
    indices = np.flatnonzero(is_set)
    return (int(indices[0]), int(indices[-1]) + 1) if indices.size else (0, 0)


def _point(xy: npt.NDArray[np.intp]) -> tuple[float, float]:
    return float(xy[0]), float(xy[1])


def _middle_pixel(mask: BoolMask) -> tuple[float, float]:
    """The set pixel in the middle of the row that halves the mask's area."""
    area_above = np.cumsum(np.count_nonzero(mask, axis=1))
    row = int(np.searchsorted(area_above, area_above[-1] / 2))
    columns = np.flatnonzero(mask[row])
    return float(columns[columns.size // 2]), float(row)


def _any_in_blocks(mask: BoolMask, block: int) -> BoolMask:
    """Max-pools a mask over blocks, counting what lies beyond the far edges as empty."""
    height, width = (-(-side // block) for side in mask.shape)
    rows = np.zeros((height, mask.shape[1]), bool)
    for offset in range(block):
        part = mask[offset::block]
        rows[: len(part)] |= part
    grid = np.zeros((height, width), bool)
    for offset in range(block):
        part = rows[:, offset::block]
        grid[:, : part.shape[1]] |= part
    return grid


def _distance_to(mask: BoolMask) -> npt.NDArray[np.float32]:
    """Euclidean distance of every cell to the nearest set cell."""
    distances = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distances.astype(np.float32, copy=False)


def _edge_pixels(mask: BoolMask, blocks: BoolMask, block: int) -> npt.NDArray[np.intp]:
    """Coordinates (x, y), shape [N, 2], of the mask's edge pixels that lie in the given blocks."""
    left, top, right, bottom = (int(edge) for edge in mask_to_box_xyxy(blocks))
    crop = mask[top * block : bottom * block, left * block : right * block]
    wanted = np.repeat(np.repeat(blocks[top:bottom, left:right], block, axis=0), block, axis=1)
    interior = cv2.erode(crop.view(np.uint8), _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0).view(bool)
    y, x = np.nonzero(crop & ~interior & wanted[: crop.shape[0], : crop.shape[1]])
    return np.stack([x + left * block, y + top * block], axis=1)
