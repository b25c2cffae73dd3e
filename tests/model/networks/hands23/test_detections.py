from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cs3_model.networks.hands23.detections import (
    ContactState,
    DetectedHand,
    FirstObject,
    Grasp,
    HandDetections,
    HandSide,
    SecondObject,
    Touch,
)
from cs3_model.types import BoxXYXY, HandObjects, HeldObject, SideRule, TouchedObject


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


def test_what_a_held_object_touches_is_carried_along_and_clipped() -> None:
    second = SecondObject(box_xyxy=(30.0, 10.0, 200.0, 20.0), score=0.4)
    right = replace(hand(HandSide.RIGHT, 0.7, (50.0, 10.0, 60.0, 20.0)), second_object=second)
    held = HandDetections(hands=(right,)).held_objects((100, 100))
    assert held.right.touched == TouchedObject(box_xyxy=(30.0, 10.0, 100.0, 20.0), score=0.4)
    outside = replace(right, second_object=replace(second, box_xyxy=(120.0, 10.0, 200.0, 20.0)))
    assert HandDetections(hands=(outside,)).held_objects((100, 100)).right.touched is None


def placed(side: HandSide, score: float, x: float) -> DetectedHand:
    """A hand of 20 x 20 pixels around (x, 50) that holds a box of its own place."""
    box = (x - 10.0, 40.0, x + 10.0, 60.0)
    return replace(hand(side, score, box), box_xyxy=box)


def centres(held: HandObjects) -> list[float | None]:
    return [item and (item.box_xyxy[0] + item.box_xyxy[2]) / 2 for item in (held.left, held.right)]


@pytest.mark.parametrize("side", list(HandSide))
def test_two_hands_of_one_label_are_told_apart_by_position_where_that_is_asked_for(side) -> None:
    hands = HandDetections(hands=(placed(side, 0.9, 70.0), placed(side, 0.8, 30.0), placed(side, 0.75, 50.0)))
    labelled = hands.held_objects((100, 100))
    assert centres(labelled) == ([70.0, None] if side is HandSide.LEFT else [None, 70.0])
    assert centres(hands.held_objects((100, 100), SideRule.POSITION)) == [30.0, 70.0]


def test_position_does_not_decide_where_labels_do() -> None:
    """Arms may cross."""
    crossed = HandDetections(hands=(placed(HandSide.LEFT, 0.9, 70.0), placed(HandSide.RIGHT, 0.8, 30.0)))
    assert centres(crossed.held_objects((100, 100), SideRule.POSITION)) == [70.0, 30.0]


def test_a_hand_that_was_found_twice_stays_one() -> None:
    twice = HandDetections(hands=(placed(HandSide.RIGHT, 0.9, 70.0), placed(HandSide.RIGHT, 0.8, 63.0)))
    assert centres(twice.held_objects((100, 100), SideRule.POSITION)) == [None, 70.0]


def test_position_finds_more_of_the_right_sides_where_a_tenth_of_the_labels_is_wrong() -> None:
    """Made detections: 2,000 pictures of two hands, the left one left of the right one in 95 % of them."""
    rng = np.random.default_rng(0)
    right_sides = dict.fromkeys(SideRule, 0)
    for _ in range(2_000):
        truth_x = sorted(rng.choice([15.0, 40.0, 60.0, 85.0], 2, replace=False))
        if rng.random() < 0.05:
            truth_x.reverse()
        flipped = rng.random(2) < 0.1
        labels = [HandSide.RIGHT if wrong else HandSide.LEFT for wrong in (flipped[0], not flipped[1])]
        scores = rng.uniform(0.7, 1.0, 2)
        hands = [placed(*values) for values in zip(labels, scores, truth_x, strict=True)]
        for rule in SideRule:
            found = centres(HandDetections(hands=tuple(hands)).held_objects((100, 100), rule))
            right_sides[rule] += sum(a == b for a, b in zip(found, truth_x, strict=True))
    shares = {rule: count / 4_000 for rule, count in right_sides.items()}
    # By hand: labels .9 * .9 + .09 (one flipped: the better-scoring half keeps its side) = .855;
    # position .9 * .9 + .18 * .95 = .981.
    assert shares[SideRule.LABELS] == pytest.approx(0.855, abs=0.02)
    assert shares[SideRule.POSITION] == pytest.approx(0.981, abs=0.01)


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
