"""Hands, what they do and what they hold, as Hands23 describes them.

The values of the enumerations are the network's class indices; `label` is the name in the reference demo's JSON.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs3_model.types import BoxXYXY, HandObjects, HeldObject, SideRule, TouchedObject

if TYPE_CHECKING:
    from typing_extensions import Self


class LabelledEnum(enum.IntEnum):
    """An integer with the name that the reference demo gives it."""

    label: str

    def __new__(cls, value: int, label: str = "") -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    @classmethod
    def from_label(cls, label: str) -> Self:
        """Finds a member by its name in the demo's JSON; ValueError lists the known names."""
        for member in cls:
            if member.label == label:
                return member
        raise ValueError(f"unknown {cls.__name__} {label!r}, expected one of {', '.join(m.label for m in cls)}")


class HandSide(LabelledEnum):
    """Whose hand of the two, as the wearer sees it."""

    LEFT = 0, "left_hand"
    RIGHT = 1, "right_hand"


class ContactState(LabelledEnum):
    """What a hand touches."""

    NONE = 0, "no_contact"
    OTHER_PERSON = 1, "other_person_contact"
    SELF = 2, "self_contact"
    OBJECT = 3, "object_contact"
    OBJECT_TO_OBJECT = 4, "obj_to_obj_contact"


class Grasp(LabelledEnum):
    """How a hand grasps: non-prehensile, power, precision or lateral."""

    NON_PREHENSILE_PALM = 0, "NP-Palm"
    NON_PREHENSILE_FINGERS = 1, "NP-Fin"
    POWER_PRISMATIC = 2, "Pow-Pris"
    PRECISION_PRISMATIC = 3, "Pre-Pris"
    POWER_CIRCULAR = 4, "Pow-Circ"
    PRECISION_CIRCULAR = 5, "Pre-Circ"
    LATERAL = 6, "Later"
    OTHER = 7, "Other"


class Touch(LabelledEnum):
    """What kind of object is touched, and how."""

    TOOL_TOUCHED = 0, "tool_,_touched"
    TOOL_HELD = 1, "tool_,_held"
    TOOL_USED = 2, "tool_,_used"
    CONTAINER_TOUCHED = 3, "container_,_touched"
    CONTAINER_HELD = 4, "container_,_held"
    NEITHER_TOUCHED = 5, "neither_,_touched"
    NEITHER_HELD = 6, "neither_,_held"


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstObject:
    """An object that a hand touches."""

    box_xyxy: BoxXYXY
    score: float
    """Confidence in [0, 1]."""
    touch: Touch
    touch_scores: tuple[float, ...]
    """Probability of each `Touch`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondObject:
    """An object that a tool in a hand touches."""

    box_xyxy: BoxXYXY
    score: float
    """Confidence in [0, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectedHand:
    """One hand, with the chain of objects it touches."""

    box_xyxy: BoxXYXY
    score: float
    """Confidence in [0, 1]."""
    side: HandSide
    contact: ContactState
    grasp: Grasp
    grasp_scores: tuple[float, ...]
    """Probability of each `Grasp`."""
    first_object: FirstObject | None = None
    second_object: SecondObject | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HandDetections:
    """All hands of one image, best first. Boxes are in its pixels."""

    hands: tuple[DetectedHand, ...] = ()

    def held_objects(self, size_hw: tuple[int, int], sides: SideRule = SideRule.LABELS) -> HandObjects:
        """Reduces to what the wearer's hands hold: per side the first object of the hand with the highest score.

        Of several hands of one side the best is taken for the wearer's, even if it is empty: what another person's
        hand holds is not in the wearer's hand.

        Args:
            size_hw: height and width of the image, to which boxes are clipped; a box outside it counts as none.
            sides: how left and right are told apart.
        """
        left, right = self._best(HandSide.LEFT), self._best(HandSide.RIGHT)
        if sides is SideRule.POSITION and (left is None or right is None):
            left, right = self._by_position() or (left, right)
        return HandObjects(left=_held(left, size_hw), right=_held(right, size_hw))

    def _best(self, side: HandSide) -> DetectedHand | None:
        return max((hand for hand in self.hands if hand.side is side), key=lambda hand: hand.score, default=None)

    def _by_position(self) -> tuple[DetectedHand, DetectedHand] | None:
        """The best two hands from left to right; None if there are no two, or they may be one that was found twice."""
        if len(self.hands) < 2:
            return None
        best = sorted(self.hands, key=lambda hand: -hand.score)[:2]
        left, right = sorted(best, key=lambda hand: _centre(hand.box_xyxy)[0])
        if _holds(left.box_xyxy, _centre(right.box_xyxy)) or _holds(right.box_xyxy, _centre(left.box_xyxy)):
            return None
        return left, right


def _held(hand: DetectedHand | None, size_hw: tuple[int, int]) -> HeldObject | None:
    if hand is None or hand.first_object is None:
        return None
    box = _clipped(hand.first_object.box_xyxy, size_hw)
    if box is None:
        return None
    touched_box = _clipped(hand.second_object.box_xyxy, size_hw) if hand.second_object else None
    return HeldObject(
        box_xyxy=box,
        score=hand.first_object.score,
        hand_box_xyxy=_clipped(hand.box_xyxy, size_hw),
        touched=TouchedObject(box_xyxy=touched_box, score=hand.second_object.score)
        if hand.second_object and touched_box
        else None,
    )


def _centre(box_xyxy: BoxXYXY) -> tuple[float, float]:
    return (box_xyxy[0] + box_xyxy[2]) / 2, (box_xyxy[1] + box_xyxy[3]) / 2


def _holds(box_xyxy: BoxXYXY, point_xy: tuple[float, float]) -> bool:
    (x_min, y_min, x_max, y_max), (x, y) = box_xyxy, point_xy
    return x_min <= x <= x_max and y_min <= y <= y_max


def _clipped(box_xyxy: BoxXYXY, size_hw: tuple[int, int]) -> BoxXYXY | None:
    height, width = size_hw
    x_min, y_min, x_max, y_max = box_xyxy
    x_min, x_max = max(x_min, 0.0), min(x_max, float(width))
    y_min, y_max = max(y_min, 0.0), min(y_max, float(height))
    return (x_min, y_min, x_max, y_max) if x_min < x_max and y_min < y_max else None
