"""J and F of DAVIS, of masks whose scores are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.tracking.mask_scores import contour_accuracy, region_similarity

EMPTY = np.zeros((100, 100), bool)


def square(x: int, side: int = 20) -> np.ndarray:
    mask = EMPTY.copy()
    mask[40 : 40 + side, x : x + side] = True
    return mask


def test_the_same_mask_scores_one() -> None:
    assert region_similarity(square(30), square(30)) == 1.0
    assert contour_accuracy(square(30), square(30)) == 1.0


def test_no_mask_where_there_is_none_scores_one() -> None:
    assert region_similarity(EMPTY, EMPTY) == 1.0 and contour_accuracy(EMPTY, EMPTY) == 1.0


@pytest.mark.parametrize(("predicted", "true"), [(EMPTY, square(30)), (square(30), EMPTY)])
def test_a_mask_too_few_or_too_many_scores_zero(predicted, true) -> None:
    assert region_similarity(predicted, true) == 0.0 and contour_accuracy(predicted, true) == 0.0


def test_half_a_square_off_is_a_third() -> None:
    """200 pixels of overlap, 600 in all."""
    assert region_similarity(square(30), square(40)) == pytest.approx(1 / 3)


def test_a_boundary_within_the_tolerance_is_right() -> None:
    """0.008 of a diagonal of 141.4 pixels is 1.13: two pixels are near enough, four are not."""
    assert contour_accuracy(square(32), square(30)) == 1.0
    assert contour_accuracy(square(34), square(30)) < 0.9


def test_of_a_boundary_that_is_far_from_the_true_one_nothing_is_right() -> None:
    assert contour_accuracy(square(70), square(10)) == 0.0


def test_precision_and_recall_are_balanced() -> None:
    """One of two equal squares is found: precision 1, recall 1/2, harmonic mean 2/3."""
    assert contour_accuracy(square(10), square(10) | square(60)) == pytest.approx(2 / 3)
