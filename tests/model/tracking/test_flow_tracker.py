"""Following by flow and a box segmenter, of a square that moves by known steps."""

from __future__ import annotations

import numpy as np

from cs3_model.geometry import intersection_over_union
from cs3_model.tracking.flow_tracker import FlowTracker
from tests.model.conftest import FilledBoxes


def test_a_square_that_moves_is_followed(moving_square) -> None:
    image, mask = moving_square(20, 30)
    track = FlowTracker(None).start(image, [mask])
    for step in range(1, 16):
        image, mask = moving_square(20 + 3 * step, 30 + step)
        (found,) = track.step(image)
        assert found.visible and intersection_over_union(found.mask, mask) > 0.85
    x_min, y_min, x_max, y_max = found.box_xyxy
    assert abs(x_min - 65) <= 3 and abs(y_min - 45) <= 3 and abs(x_max - 105) <= 3 and abs(y_max - 85) <= 3


def test_each_of_several_objects_keeps_its_place_in_the_order(moving_square) -> None:
    image, mask = moving_square(20, 30)
    still = np.zeros_like(mask)
    still[95:115, 130:155] = True
    track = FlowTracker(None).start(image, [still, mask])
    for step in range(1, 6):
        image, mask = moving_square(20 + 3 * step, 30)
        first, second = track.step(image)
    assert intersection_over_union(first.mask, still) > 0.85
    assert intersection_over_union(second.mask, mask) > 0.85


def test_the_segmenter_mends_what_flow_frays(moving_square) -> None:
    """A mask that begins with a hole is made whole by a segmenter that fills its box."""
    image, mask = moving_square(20, 30)
    frayed = mask.copy()
    frayed[45:52, 35:42] = False
    (by_flow,) = FlowTracker(None).start(image, [frayed]).step(image)
    (mended,) = FlowTracker(FilledBoxes()).start(image, [frayed]).step(image)
    assert intersection_over_union(by_flow.mask, mask) < 0.98
    assert intersection_over_union(mended.mask, mask) > 0.98


def test_a_segmenter_that_says_something_else_is_not_believed(moving_square) -> None:
    image, mask = moving_square(20, 30)
    thin = np.zeros_like(mask)
    np.fill_diagonal(thin[30:70, 20:60], True)
    thin[30:70, 20:23] = True  # a shape that fills little of its box
    (found,) = FlowTracker(FilledBoxes()).start(image, [thin]).step(image)
    assert intersection_over_union(found.mask, mask) < 0.5


def test_an_object_that_leaves_the_picture_is_lost(moving_square) -> None:
    image, mask = moving_square(110, 30)
    track = FlowTracker(FilledBoxes()).start(image, [mask])
    for step in range(1, 16):
        image, mask = moving_square(110 + 4 * step, 30)
        (found,) = track.step(image)
    assert not mask.any() and not found.visible and found.box_xyxy == (0.0, 0.0, 0.0, 0.0)


def test_an_object_whose_place_shows_something_else_is_lost(moving_square) -> None:
    image, mask = moving_square(20, 30)
    track = FlowTracker(None).start(image, [mask])
    gone, _ = moving_square(1000, 1000)
    (found,) = track.step(gone)
    assert not found.visible and found.score < 0.3 and not found.mask.any()
