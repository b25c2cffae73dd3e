from __future__ import annotations

import torch

from cs3_model.networks.hands23.config import Hands23Thresholds
from cs3_model.networks.hands23.detections import ContactState, Grasp, HandDetections, HandSide, Touch
from cs3_model.networks.hands23.linking import link_detections
from cs3_model.networks.hands23.network import RawDetections

HAND, FIRST, SECOND = 0, 1, 2
DEFAULT_THRESHOLDS = Hands23Thresholds()


def one_hot(index: int, size: int) -> torch.Tensor:
    return torch.eye(size)[index]


def link(
    classes: list[int],
    contacts: dict[tuple[int, int], tuple[ContactState, float]],
    touch: Touch = Touch.TOOL_USED,
    thresholds: Hands23Thresholds = DEFAULT_THRESHOLDS,
) -> HandDetections:
    """Links boxes at x = 0, 10, 20, ...; `contacts` gives the state of a pair and its probability."""
    number = len(classes)
    contact = one_hot(0, 5).repeat(number, number, 1)
    for pair, (state, probability) in contacts.items():
        contact[pair] = (1 - probability) * one_hot(0, 5) + probability * one_hot(state, 5)
    x = 10.0 * torch.arange(number)
    raw = RawDetections(
        boxes=torch.stack([x, torch.zeros(number), x + 5, torch.ones(number)], dim=1),
        scores=1 - 0.1 * torch.arange(number),
        classes=torch.tensor(classes, dtype=torch.int64),
        side=one_hot(HandSide.RIGHT, 2).repeat(number, 1),
        grasp=one_hot(Grasp.LATERAL, 8).repeat(number, 1),
        touch=one_hot(touch, 7).repeat(number, 1),
        contact=contact,
    )
    return link_detections(raw, thresholds)


def test_a_hand_takes_the_object_it_most_probably_touches() -> None:
    detections = link([HAND, FIRST, FIRST], {(0, 1): (ContactState.OBJECT, 0.4), (0, 2): (ContactState.SELF, 0.6)})
    (hand,) = detections.hands
    assert hand.first_object.box_xyxy == (20.0, 0.0, 25.0, 1.0)
    assert hand.contact is ContactState.SELF
    assert (hand.side, hand.grasp) == (HandSide.RIGHT, Grasp.LATERAL)


def test_a_hand_below_the_threshold_touches_nothing() -> None:
    (hand,) = link([HAND, FIRST], {(0, 1): (ContactState.OBJECT, 0.29)}).hands
    assert hand.first_object is None
    assert hand.contact is ContactState.NONE
    (hand,) = link([HAND, FIRST], {(0, 1): (ContactState.OBJECT, 0.31)}).hands
    assert hand.first_object is not None


def test_hands_may_share_an_object_and_keep_their_order() -> None:
    contacts = {(0, 1): (ContactState.OBJECT, 0.9), (2, 1): (ContactState.OBJECT, 0.8)}
    first, second = link([HAND, FIRST, HAND], contacts).hands
    assert first.first_object == second.first_object
    assert (first.box_xyxy[0], second.box_xyxy[0]) == (0.0, 20.0)


def test_only_a_tool_in_use_has_a_second_object() -> None:
    contacts = {(0, 1): (ContactState.OBJECT, 0.9), (1, 2): (ContactState.OBJECT_TO_OBJECT, 0.9)}
    (hand,) = link([HAND, FIRST, SECOND], contacts, touch=Touch.TOOL_USED).hands
    assert hand.second_object.box_xyxy == (20.0, 0.0, 25.0, 1.0)
    (hand,) = link([HAND, FIRST, SECOND], contacts, touch=Touch.TOOL_HELD).hands
    assert hand.first_object is not None and hand.second_object is None


def test_an_uncertain_second_object_is_not_linked() -> None:
    contacts = {(0, 1): (ContactState.OBJECT, 0.9), (1, 2): (ContactState.OBJECT_TO_OBJECT, 0.69)}
    (hand,) = link([HAND, FIRST, SECOND], contacts).hands
    assert hand.second_object is None


def test_objects_without_a_hand_are_dropped() -> None:
    assert link([FIRST, SECOND], {(0, 1): (ContactState.OBJECT, 0.9)}).hands == ()


def test_a_hand_alone_touches_nothing_even_if_every_relation_counts() -> None:
    (hand,) = link([HAND], {}, thresholds=Hands23Thresholds(hand_relation=0.0)).hands
    assert hand.first_object is None


def test_an_image_without_boxes_has_no_hands() -> None:
    assert link([], {}).hands == ()
