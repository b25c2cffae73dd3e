"""Bounds by who knows the truth: the best choice among the candidates (Table 3, Oracle), and true outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from scipy.optimize import linear_sum_assignment

from cs3_model.geometry import intersection_over_union, mask_to_box_xyxy
from cs3_model.metrics import score_alternatives
from cs3_model.types import BoolMask, Candidate, CollisionResult, Reason, Verdict, no_collision
from training.evaluation.row import LoadedSample


def choose_oracle(candidates: Sequence[Candidate], truth: Sequence[BoolMask]) -> CollisionResult:
    """Takes the candidates that match the true masks best: the upper bound of Table 3, for evaluation only.

    Args:
        candidates: `CollisionResult.candidates` of any strategy.
        truth: One or two true masks, of the candidates' shape.

    Returns:
        At most one candidate per true mask, by the assignment with the greatest sum of IoUs, in the order of `truth`;
        true masks that no candidate overlaps get none.

    Raises:
        ValueError: if there are no true masks, more than two, or one of another shape.
    """
    if not 1 <= len(truth) <= 2:
        raise ValueError(f"truth must hold one or two masks, got {len(truth)}")
    for mask in truth:
        if any(candidate.mask.shape != mask.shape for candidate in candidates):
            raise ValueError(f"truth must have the shape of the candidates' masks, got {list(mask.shape)}")
    ious = np.array([[intersection_over_union(mask, candidate.mask) for candidate in candidates] for mask in truth])
    matched = {
        int(column): float(ious[row, column])
        for row, column in zip(*linear_sum_assignment(ious, maximize=True), strict=True)
        if ious[row, column] > 0
    }
    masks = tuple(replace(candidates[i], reason=f"the oracle takes it, IoU {iou:.2f}") for i, iou in matched.items())
    others = tuple(replace(c, reason="the oracle leaves it") for i, c in enumerate(candidates) if i not in matched)
    if not masks:
        return no_collision(Reason.NO_CANDIDATE, "no candidate overlaps a true mask", others)
    detail = f"{len(masks)} of {len(truth)} true masks have a candidate"
    return CollisionResult(
        verdict=Verdict(len(masks)), reason=Reason.SELECTED, detail=detail, masks=masks, rejected=others
    )


def best_for(candidates: Sequence[Candidate], scene: LoadedSample) -> CollisionResult:
    """The candidates that match the truth best; none where no collision can be seen."""
    truth = [(item.mask, *item.alternatives) for item in scene.visible_colliding]
    if not truth or not candidates:
        return no_collision(Reason.NO_CANDIDATE, "nothing to choose")

    def score(result: CollisionResult) -> float:
        return score_alternatives([item.mask for item in result.masks], truth).iou_extra_free

    return max((choose_oracle(candidates, masks) for masks in product(*truth)), key=score)


def with_true_masks(result: CollisionResult, scene: LoadedSample) -> CollisionResult:
    """The same answer, with the true outline of the object that each mask overlaps most; what overlaps none is left.

    What remains wrong is the choice of objects, not their segmentation.
    """
    masks: dict[int, Candidate] = {}
    for chosen in result.masks:
        ious = [intersection_over_union(chosen.mask, item.mask) for item in scene.objects]
        if max(ious, default=0.0) > 0:
            best = int(np.argmax(ious))
            mask = scene.objects[best].mask
            masks.setdefault(best, replace(chosen, mask=mask, box_xyxy=mask_to_box_xyxy(mask)))
    return replace(result, masks=tuple(masks.values()), verdict=Verdict(len(masks)))
