"""How far two detections of the same image agree, for instance ours and the reference demo's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from cs3_model.networks.hands23.detections import DetectedHand, FirstObject, HandDetections, SecondObject
from cs3_model.types import BoxXYXY


@dataclass(frozen=True, kw_only=True, slots=True)
class HandAgreement:
    """Agreement of one hand that both detections have."""

    reference_index: int
    """Which of the reference's hands."""
    hand_iou: float
    first_object_iou: float | None
    """None if neither has a first object, 0 if only one has."""
    second_object_iou: float | None
    """Likewise for the second object."""
    different_labels: tuple[str, ...]
    """Fields of `DetectedHand` or `FirstObject` whose labels differ."""
    largest_score_difference: float
    """Over the confidences of hand and objects that both have, and the probabilities of grasp and touch."""

    @property
    def agrees(self) -> bool:
        """Whether the labels are equal and the boxes overlap by at least 0.9.

        Another implementation of the same arithmetic differs by far less, another detection by far more.
        """
        ious = (self.hand_iou, self.first_object_iou, self.second_object_iou)
        return not self.different_labels and all(iou is None or iou >= 0.9 for iou in ious)


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionAgreement:
    """Agreement of two detections of one image."""

    hands: tuple[HandAgreement, ...]
    num_missing: int
    """Hands that only the reference has."""
    num_extra: int
    """Hands that only the other has."""

    @property
    def agrees(self) -> bool:
        """Whether both have the same hands, and these agree."""
        return not self.num_missing and not self.num_extra and all(hand.agrees for hand in self.hands)


def compare_detections(detections: HandDetections, reference: HandDetections) -> DetectionAgreement:
    """Matches hands so that the sum of their boxes' IoU is largest (pairs below 0.5 are no match), and compares them."""
    iou = np.array(
        [[box_iou(ours.box_xyxy, theirs.box_xyxy) for ours in detections.hands] for theirs in reference.hands]
    ).reshape(len(reference.hands), len(detections.hands))
    pairs = [(row, column) for row, column in zip(*linear_sum_assignment(-iou), strict=True) if iou[row, column] >= 0.5]
    return DetectionAgreement(
        hands=tuple(_compare_hands(int(row), detections.hands[column], reference.hands[row]) for row, column in pairs),
        num_missing=len(reference.hands) - len(pairs),
        num_extra=len(detections.hands) - len(pairs),
    )


def box_iou(a_xyxy: BoxXYXY, b_xyxy: BoxXYXY) -> float:
    """Intersection over union of two boxes."""
    width = min(a_xyxy[2], b_xyxy[2]) - max(a_xyxy[0], b_xyxy[0])
    height = min(a_xyxy[3], b_xyxy[3]) - max(a_xyxy[1], b_xyxy[1])
    if width <= 0 or height <= 0:
        return 0.0
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a_xyxy, b_xyxy))
    return width * height / (area_a + area_b - width * height)


def _compare_hands(index: int, ours: DetectedHand, theirs: DetectedHand) -> HandAgreement:
    different = [name for name in ("side", "contact", "grasp") if getattr(ours, name) is not getattr(theirs, name)]
    differences = [abs(ours.score - theirs.score), _largest_difference(ours.grasp_scores, theirs.grasp_scores)]
    if ours.first_object and theirs.first_object:
        if ours.first_object.touch is not theirs.first_object.touch:
            different.append("touch")
        differences.append(abs(ours.first_object.score - theirs.first_object.score))
        differences.append(_largest_difference(ours.first_object.touch_scores, theirs.first_object.touch_scores))
    if ours.second_object and theirs.second_object:
        differences.append(abs(ours.second_object.score - theirs.second_object.score))
    return HandAgreement(
        reference_index=index,
        hand_iou=box_iou(ours.box_xyxy, theirs.box_xyxy),
        first_object_iou=_object_iou(ours.first_object, theirs.first_object),
        second_object_iou=_object_iou(ours.second_object, theirs.second_object),
        different_labels=tuple(different),
        largest_score_difference=max(differences),
    )


def _object_iou(ours: FirstObject | SecondObject | None, theirs: FirstObject | SecondObject | None) -> float | None:
    if ours is None and theirs is None:
        return None
    return box_iou(ours.box_xyxy, theirs.box_xyxy) if ours and theirs else 0.0


def _largest_difference(ours: tuple[float, ...], theirs: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
