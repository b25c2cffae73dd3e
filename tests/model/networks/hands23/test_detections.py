from __future__ import annotations

import pytest

from cs3_model.networks.hands23.detections import (
    ContactState,
    DetectedHand,
    FirstObject,
    Grasp,
    HandDetections,
    HandSide,
    Touch,
)
from cs3_model.types import BoxXYXY, HandObjects, HeldObject


def hand(side: HandSide, score: float, object_box: BoxXYXY | None) -> DetectedHand:
    first = None
    if object_box is not None:
        first = FirstObject(box_xyxy=object_box, score=0.5, touch=Touch.NEITHER_HELD, touch_scores=(0.0,) * 6 + (1.0,))
    return DetectedHand(
        box_xyxy=(1.0, 2.0, 3.0, 4.0),
        score=score,
        side=side,
        contact=ContactState.OBJECT,
        grasp=Grasp.OTHER,
        grasp_scores=(0.0,) * 7 + (1.0,),
        first_object=first,
    )


def test_each_side_gives_the_object_of_its_best_hand() -> None:
    hands = (
        hand(HandSide.LEFT, 0.8, (10.0, 10.0, 20.0, 20.0)),
        hand(HandSide.LEFT, 0.9, (30.0, 10.0, 40.0, 20.0)),
        hand(HandSide.RIGHT, 0.7, (50.0, 10.0, 60.0, 20.0)),
    )
    held = HandDetections(hands=hands).held_objects((100, 100))
    assert held.left == HeldObject(box_xyxy=(30.0, 10.0, 40.0, 20.0), score=0.5, hand_box_xyxy=(1.0, 2.0, 3.0, 4.0))
    assert held.right.box_xyxy == (50.0, 10.0, 60.0, 20.0)


def test_an_empty_best_hand_does_not_take_the_object_of_another() -> None:
    hands = (hand(HandSide.LEFT, 0.9, None), hand(HandSide.LEFT, 0.8, (10.0, 10.0, 20.0, 20.0)))
    assert HandDetections(hands=hands).held_objects((100, 100)) == HandObjects()


def test_boxes_are_clipped_to_the_image() -> None:
    detections = HandDetections(hands=(hand(HandSide.RIGHT, 0.9, (-5.0, 10.0, 500.0, 60.0)),))
    assert detections.held_objects((50, 80)).right.box_xyxy == (0.0, 10.0, 80.0, 50.0)


def test_an_object_outside_the_image_is_not_held() -> None:
    detections = HandDetections(hands=(hand(HandSide.RIGHT, 0.9, (90.0, 10.0, 95.0, 20.0)),))
    assert detections.held_objects((50, 80)) == HandObjects()


def test_no_hands_hold_nothing() -> None:
    assert HandDetections().held_objects((50, 80)) == HandObjects()


def test_an_unknown_label_is_refused_with_the_known_ones() -> None:
    assert Grasp.from_label("Pow-Pris") is Grasp.POWER_PRISMATIC
    with pytest.raises(ValueError, match="unknown HandSide 'middle_hand', expected one of left_hand, right_hand"):
        HandSide.from_label("middle_hand")
