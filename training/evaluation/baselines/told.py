"""Bounds that are told where the colliding objects are, and only segment them: what is lost before the outlines."""

from __future__ import annotations

import enum

import cv2
import numpy as np

from cs3_model.geometry import intersection_over_union, mask_to_box_xyxy
from cs3_model.parts import BoxSegmenter
from cs3_model.types import BoolMask, Candidate, CollisionResult, Float32Array, Reason, Role, Verdict, no_collision
from training.evaluation.row import LoadedSample


class Told(str, enum.Enum):
    """What a row is told about each colliding object."""

    BOXES = "boxes"
    """The box of its true mask."""
    POINTS = "points"
    """The pixel of its true mask that is farthest from the outline."""


def segment_told(boxes: BoxSegmenter, told: Told, scene: LoadedSample) -> CollisionResult:
    """Segments each colliding object from what is told about it; of alternatives, that which is segmented best."""
    objects = scene.visible_colliding
    if not objects:
        return no_collision(Reason.NO_CANDIDATE, "nothing is told")
    embedding = boxes.embed(scene.frame.image)
    masks = []
    for item in objects:
        truths = (item.mask, *item.alternatives)
        if told is Told.BOXES:
            found, scores = boxes.segment(embedding, np.array([mask_to_box_xyxy(mask) for mask in truths], np.float32))
        else:
            found, scores = boxes.segment_points(embedding, np.stack([_inner_point_xy(mask) for mask in truths]))
        best = int(np.argmax([intersection_over_union(guess, mask) for guess, mask in zip(found, truths, strict=True)]))
        masks.append(
            Candidate(
                role=Role.AUDIO_VISUAL,
                mask=found[best],
                box_xyxy=mask_to_box_xyxy(found[best]),
                score=float(scores[best]),
                reason=f"told its {told.value}",
            )
        )
    return CollisionResult(
        verdict=Verdict(len(masks)), reason=Reason.SELECTED, detail=f"told the true {told.value}", masks=tuple(masks)
    )


def _inner_point_xy(mask: BoolMask) -> Float32Array:
    """The pixel farthest from the background, which begins outside the picture: [2]."""
    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return np.array([x, y], np.float32)
