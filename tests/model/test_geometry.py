"""Pixel geometry against brute force and by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from cs3_model.geometry import MaskDistance, closest_pair, intersection_over_union, mask_to_box_xyxy


def rectangle(x_min: int, y_min: int, x_max: int, y_max: int, size_hw: tuple[int, int] = (100, 200)) -> np.ndarray:
    mask = np.zeros(size_hw, bool)
    mask[y_min:y_max, x_min:x_max] = True
    return mask


def mask_distance(first: np.ndarray, second: np.ndarray) -> MaskDistance:
    return closest_pair([first, second])[2]


def test_the_box_of_a_mask_has_exclusive_maximum_edges() -> None:
    assert mask_to_box_xyxy(rectangle(10, 20, 30, 50)) == (10.0, 20.0, 30.0, 50.0)
    assert mask_to_box_xyxy(np.zeros((5, 5), bool)) == (0.0, 0.0, 0.0, 0.0)


def test_iou_by_hand() -> None:
    assert intersection_over_union(rectangle(0, 0, 10, 10), rectangle(5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert intersection_over_union(rectangle(0, 0, 1, 1), rectangle(5, 5, 6, 6)) == 0.0
    assert intersection_over_union(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 0.0


def test_distance_by_hand() -> None:
    """From the corner pixel (9, 9) to (12, 13): 3 across, 4 down."""
    nearest = mask_distance(rectangle(0, 0, 10, 10), rectangle(12, 13, 20, 20))
    assert nearest.distance_px == pytest.approx(5.0)
    assert nearest.first_xy == (9.0, 9.0) and nearest.second_xy == (12.0, 13.0)


def test_neighbours_are_one_apart_and_overlaps_zero() -> None:
    assert mask_distance(rectangle(0, 0, 10, 10), rectangle(10, 0, 20, 10)).distance_px == 1.0
    overlap = mask_distance(rectangle(0, 0, 10, 10), rectangle(8, 2, 20, 10))
    assert overlap.distance_px == 0.0
    x, y = overlap.first_xy
    assert overlap.first_xy == overlap.second_xy and 8 <= x < 10 and 2 <= y < 10


def test_the_closest_of_three_is_found_and_the_first_of_equals() -> None:
    masks = [rectangle(0, 0, 10, 10), rectangle(30, 0, 40, 10), rectangle(60, 0, 70, 10), rectangle(35, 20, 40, 30)]
    assert closest_pair([masks[0], masks[2], masks[1]])[:2] == (0, 2)
    assert closest_pair(masks)[:2] == (1, 3)
    assert closest_pair(masks[:3])[:2] == (0, 1)
    assert closest_pair([rectangle(0, 0, 20, 10), rectangle(5, 5, 30, 9), rectangle(10, 2, 25, 12)])[:2] == (0, 1)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 900), st.integers(4, 900), st.integers(2, 3))
def test_the_closest_pair_is_that_of_brute_force_at_any_resolution(
    seed: int, height: int, width: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(count):
        mask = np.zeros((height, width), bool)
        for _ in range(rng.integers(1, 4)):
            x, y = rng.integers(0, width), rng.integers(0, height)
            patch = mask[y : y + rng.integers(1, 20), x : x + rng.integers(1, 20)]
            patch |= rng.random(patch.shape) > 0.3
        mask[rng.integers(0, height), rng.integers(0, width)] = True
        masks.append(mask)
    first, second, nearest = closest_pair(masks)
    pixels = [np.argwhere(mask) for mask in masks]
    distances = {pair: cdist(*(pixels[index] for index in pair)).min() for pair in combinations(range(count), 2)}
    assert (first, second) == min(distances, key=distances.get)
    assert nearest.distance_px == pytest.approx(distances[first, second], abs=1e-6)
    for index, (x, y) in ((first, nearest.first_xy), (second, nearest.second_xy)):
        assert masks[index][int(y), int(x)]


def test_masks_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        mask_distance(np.ones((2, 2), bool), np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="empty"):
        mask_distance(np.ones((2, 2), bool), np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="at least two masks, got 1"):
        closest_pair([np.ones((2, 2), bool)])
