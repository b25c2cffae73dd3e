from __future__ import annotations

import dataclasses

import pytest

from cs3_model.networks.hands23.comparison import box_iou, compare_detections
from cs3_model.networks.hands23.detections import (
    ContactState,
    DetectedHand,
    FirstObject,
    Grasp,
    HandDetections,
    HandSide,
    Touch,
)

FIRST = FirstObject(
    box_xyxy=(40.0, 0.0, 60.0, 20.0), score=0.9, touch=Touch.TOOL_HELD, touch_scores=(0.1, 0.9, 0, 0, 0, 0, 0)
)
LEFT = DetectedHand(
    box_xyxy=(0.0, 0.0, 30.0, 30.0),
    score=0.8,
    side=HandSide.LEFT,
    contact=ContactState.OBJECT,
    grasp=Grasp.OTHER,
    grasp_scores=(0.0,) * 7 + (1.0,),
    first_object=FIRST,
)
RIGHT = dataclasses.replace(LEFT, box_xyxy=(100.0, 0.0, 130.0, 30.0), side=HandSide.RIGHT, first_object=None)
BOTH = HandDetections(hands=(LEFT, RIGHT))


def test_iou_of_boxes_side_by_side_overlapping_and_equal() -> None:
    assert box_iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0.0
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert box_iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1.0


def test_equal_detections_agree_in_any_order() -> None:
    agreement = compare_detections(HandDetections(hands=(RIGHT, LEFT)), BOTH)
    assert agreement.agrees
    assert [hand.reference_index for hand in agreement.hands] == [0, 1]
    assert [hand.first_object_iou for hand in agreement.hands] == [1.0, None]


def test_missing_and_extra_hands_are_counted() -> None:
    agreement = compare_detections(HandDetections(hands=(LEFT,)), BOTH)
    assert (agreement.num_missing, agreement.num_extra, agreement.agrees) == (1, 0, False)
    agreement = compare_detections(BOTH, HandDetections())
    assert (agreement.num_missing, agreement.num_extra, agreement.agrees) == (0, 2, False)
    assert compare_detections(HandDetections(), HandDetections()).agrees


def test_hands_that_hardly_overlap_are_different_hands() -> None:
    moved = dataclasses.replace(LEFT, box_xyxy=(15.0, 0.0, 45.0, 30.0))
    agreement = compare_detections(HandDetections(hands=(moved,)), HandDetections(hands=(LEFT,)))
    assert (agreement.num_missing, agreement.num_extra) == (1, 1)


def test_differences_in_labels_scores_and_objects_are_reported() -> None:
    touch = dataclasses.replace(FIRST, touch=Touch.TOOL_USED, touch_scores=(0.1, 0.2, 0.7, 0, 0, 0, 0))
    changed = dataclasses.replace(LEFT, side=HandSide.RIGHT, first_object=touch)
    (hand,) = compare_detections(HandDetections(hands=(changed,)), HandDetections(hands=(LEFT,))).hands
    assert hand.different_labels == ("side", "touch")
    assert hand.largest_score_difference == pytest.approx(0.7)
    assert not hand.agrees


def test_an_object_that_only_one_side_has_counts_as_no_overlap() -> None:
    empty = dataclasses.replace(LEFT, first_object=None)
    (hand,) = compare_detections(HandDetections(hands=(empty,)), HandDetections(hands=(LEFT,))).hands
    assert hand.first_object_iou == 0.0
    assert not hand.agrees
