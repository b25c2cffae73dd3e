"""From boxes and probabilities to hands and the objects they touch: the reference's linking rules."""

from __future__ import annotations

from cs3_model.networks.hands23.config import Hands23Thresholds
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
from cs3_model.networks.hands23.network import RawDetections
from cs3_model.types import BoxXYXY


def link_detections(raw: RawDetections, thresholds: Hands23Thresholds) -> HandDetections:
    """Links each hand to the object it most probably touches, and each tool in use to the object it works on.

    Several hands may share a first object, and several tools a second one. Objects without a hand are dropped.

    Args:
        raw: boxes and probabilities of one image, in host memory.
        thresholds: lowest probabilities of the two kinds of relation.

    Returns:
        Hands in the order of `raw`, boxes in its coordinates.
    """
    hands = [_hand(raw, index, thresholds) for index in range(len(raw.boxes)) if raw.classes[index] == 0]
    return HandDetections(hands=tuple(hands))


def _hand(raw: RawDetections, index: int, thresholds: Hands23Thresholds) -> DetectedHand:
    first = _partner(raw, index, thresholds.hand_relation)
    second = None
    if first is not None and Touch(int(raw.touch[first].argmax())) is Touch.TOOL_USED:
        second = _partner(raw, first, thresholds.object_relation)
    return DetectedHand(
        box_xyxy=_box(raw, index),
        score=float(raw.scores[index]),
        side=HandSide(int(raw.side[index].argmax())),
        contact=ContactState.NONE if first is None else ContactState(1 + int(raw.contact[index, first, 1:].argmax())),
        grasp=Grasp(int(raw.grasp[index].argmax())),
        grasp_scores=tuple(raw.grasp[index].tolist()),
        first_object=None if first is None else _first_object(raw, first),
        second_object=None if second is None else _second_object(raw, second),
    )


def _partner(raw: RawDetections, index: int, lowest_probability: float) -> int | None:
    """The box that box `index` most probably touches, of the class after its own."""
    candidates = (raw.classes == raw.classes[index] + 1).nonzero()[:, 0]
    if not len(candidates):
        return None
    touching = 1 - raw.contact[index, candidates, 0]
    best = int(touching.argmax())
    return int(candidates[best]) if touching[best] >= lowest_probability else None


def _first_object(raw: RawDetections, index: int) -> FirstObject:
    return FirstObject(
        box_xyxy=_box(raw, index),
        score=float(raw.scores[index]),
        touch=Touch(int(raw.touch[index].argmax())),
        touch_scores=tuple(raw.touch[index].tolist()),
    )


def _second_object(raw: RawDetections, index: int) -> SecondObject:
    return SecondObject(box_xyxy=_box(raw, index), score=float(raw.scores[index]))


def _box(raw: RawDetections, index: int) -> BoxXYXY:
    return tuple(raw.boxes[index].tolist())
