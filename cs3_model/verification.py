"""Collision verification: which of the candidate masks collided (paper, section 4.3).

Masks that are nearly the same are merged; the closest two of the rest collide if they are near enough, otherwise it
is a single object: the one in the right hand, else in the left hand, else the one that the sound points at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from cs3_model.geometry import MaskDistance, closest_pair, intersection_over_union, mask_to_box_xyxy
from cs3_model.types import BoolMask, Candidate, CollisionResult, Reason, Role, Verdict, no_collision

PRIORITY = (Role.RIGHT_HAND, Role.LEFT_HAND, Role.AUDIO_VISUAL)
"""Which mask stands for a single-object collision, first to last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationConfig:
    """The thresholds of the verification; the defaults are the paper's."""

    merge_iou: float = 0.6
    """alpha: masks whose IoU is greater are one object. In [0, 1]; 1 never merges."""
    contact_distance_px: float = 15.0
    """beta: the closest two masks collide if their distance is smaller, pixels. The distance is the smallest
    Euclidean one between pixel centres (0 where masks overlap); the paper does not say which."""
    reference_width_px: int = 0
    """Width of the image in which beta is meant, pixels; 0: the frame's own. The paper does not say which."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.merge_iou <= 1.0:
            raise ValueError(f"merge_iou must be in [0, 1], got {self.merge_iou}")
        if not self.contact_distance_px >= 0.0:
            raise ValueError(f"contact_distance_px must not be negative, got {self.contact_distance_px}")
        if self.reference_width_px < 0:
            raise ValueError(
                f"reference_width_px must be 0 (the frame's own) or positive, got {self.reference_width_px}"
            )


def is_one_object(first: BoolMask, second: BoolMask, config: VerificationConfig) -> bool:
    """Whether two masks overlap so far that they count as one object."""
    return intersection_over_union(first, second) > config.merge_iou


def verify_collision(candidates: Sequence[Candidate], config: VerificationConfig) -> CollisionResult:
    """Decides which candidates collided.

    Args:
        candidates: At most one per role, masks of one shape. Empty masks are rejected.
        config: Thresholds.

    Returns:
        Two masks, one mask, or none, and every rejected candidate with its reason. Merged candidates keep the roles
        of all their members; their mask is the union, their score the highest.
    """
    present = sorted((c for c in candidates if c.mask.any()), key=_priority)
    empty = tuple(replace(c, reason="its mask is empty") for c in candidates if not c.mask.any())
    objects = _merge(present, config)
    if not objects:
        return no_collision(Reason.NO_CANDIDATE, "no part found an object", empty)
    if len(objects) == 1:
        return _single(objects, Reason.SINGLE_MASK, "only one object was found", empty)
    # Of equal distances the first pair counts: right-left, right-av, left-av.
    first_index, second_index, nearest = closest_pair([candidate.mask for candidate in objects])
    first, second = objects[first_index], objects[second_index]
    limit_px = config.contact_distance_px * _scale(first, config)
    if nearest.distance_px < limit_px:
        return _pair(first, second, nearest, limit_px, objects, empty)
    reason = Reason.SINGLE_RIGHT if Role.RIGHT_HAND in objects[0].role else Reason.SINGLE_LEFT
    detail = f"the closest two are {nearest.distance_px:.1f} px apart, the limit is {limit_px:.1f} px"
    return _single(objects, reason, detail, empty)


def _merge(present: Sequence[Candidate], config: VerificationConfig) -> list[Candidate]:
    """Joins candidates whose masks overlap, transitively; the order of priority is kept."""
    groups = [[candidate] for candidate in present]
    for first, second in combinations(present, 2):
        if is_one_object(first.mask, second.mask, config):
            group_of = {id(member): group for group in groups for member in group}
            kept, joined = group_of[id(first)], group_of[id(second)]
            if kept is not joined:
                kept.extend(joined)
                groups = [group for group in groups if group is not joined]
    return [_union(group) for group in groups]


def _union(group: Sequence[Candidate]) -> Candidate:
    if len(group) == 1:
        return group[0]
    mask = np.logical_or.reduce([member.mask for member in group])
    role = Role(0)
    for member in group:
        role |= member.role
    return replace(
        group[0], role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=max(member.score for member in group)
    )


def _pair(
    first: Candidate,
    second: Candidate,
    nearest: MaskDistance,
    limit_px: float,
    objects: Sequence[Candidate],
    empty: tuple[Candidate, ...],
) -> CollisionResult:
    detail = f"the closest two are {nearest.distance_px:.1f} px apart, less than {limit_px:.1f} px"
    masks = (
        replace(first, reason=detail, contact_xy=nearest.first_xy),
        replace(second, reason=detail, contact_xy=nearest.second_xy),
    )
    others = tuple(replace(c, reason="another pair is closer") for c in objects if c is not first and c is not second)
    return CollisionResult(
        verdict=Verdict.TWO_OBJECTS, reason=Reason.CLOSEST_PAIR, detail=detail, masks=masks, rejected=others + empty
    )


def _single(objects: Sequence[Candidate], reason: Reason, detail: str, empty: tuple[Candidate, ...]) -> CollisionResult:
    others = tuple(replace(c, reason="too far from the others, and of lower priority") for c in objects[1:])
    masks = (replace(objects[0], reason=detail),)
    return CollisionResult(
        verdict=Verdict.ONE_OBJECT, reason=reason, detail=detail, masks=masks, rejected=others + empty
    )


def _priority(candidate: Candidate) -> int:
    return next(rank for rank, role in enumerate(PRIORITY) if role in candidate.role)


def _scale(candidate: Candidate, config: VerificationConfig) -> float:
    """Pixels of this frame per pixel of the reference image."""
    width = candidate.mask.shape[1]
    return width / config.reference_width_px if config.reference_width_px else 1.0
