"""The oracle of Table 3: the best choice among the candidates, by who knows the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from cs3_model.geometry import intersection_over_union
from cs3_model.types import BoolMask, Candidate, CollisionResult, Reason, Verdict, no_collision


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
