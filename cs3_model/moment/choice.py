"""From candidates to a result by the learned selection, with the probability that it is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cs3_model.geometry import closest_pair
from cs3_model.moment.evidence import ReducedCandidates, SelectionEvidence, gather, grid_hw, reduced_map, reduced_masks
from cs3_model.moment.moment import Moment
from cs3_model.types import Candidate, CollisionResult, Float32Array, Reason, Verdict, no_collision
from cs3_model.verification import VerificationConfig, is_one_object

if TYPE_CHECKING:
    from cs3_model.moment.selection import LearnedSelection


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectionConfig:
    """When the learned selection says that nothing in view collided.

    Raises:
        ValueError: if a field is out of its range.
    """

    not_in_view: float = 0.5
    """Probability of *nothing in view collided* from which on no mask is published; 1 always publishes."""

    def __post_init__(self) -> None:
        if not 0.0 < self.not_in_view <= 1.0:
            raise ValueError(f"SelectionConfig.not_in_view must be in (0, 1], got {self.not_in_view}")


def evidence_of(candidates: Sequence[Candidate], logits: Float32Array, moment: Moment) -> SelectionEvidence:
    """Measures candidates with masks that are not empty, at least one."""
    size_hw = grid_hw((candidates[0].mask.shape[0], candidates[0].mask.shape[1]))
    found = ReducedCandidates(
        masks=reduced_masks([item.mask for item in candidates], size_hw),
        roles=tuple(item.role for item in candidates),
        scores=_scores(candidates),
        logits=reduced_map(logits, size_hw),
    )
    return gather(found, moment.before, moment.after)


def choose_likeliest(
    candidates: Sequence[Candidate],
    logits: Float32Array,
    moment: Moment,
    selection: LearnedSelection,
    *,
    config: SelectionConfig,
    verification: VerificationConfig,
    onset_doubt: float = 0.0,
) -> CollisionResult:
    """Takes the likeliest single object or pair, or none where nothing in view collided.

    Args:
        candidates: From all who propose.
        logits: Where the sound points, float32 [h, w].
        moment: What moved.
        selection: Trained weights.
        config: When to say no.
        verification: When two masks are one object.
        onset_doubt: Probability that the onset was no collision at all, in [0, 1]; what is right with some probability
            if it was one is right with so much less.
    """
    present = [item for item in candidates if item.mask.any()]
    empty = tuple(replace(item, reason="its mask is empty") for item in candidates if not item.mask.any())
    unknown = f"; what moved is partly unknown: {', '.join(moment.unknown)}" if moment.unknown else ""
    if not present:
        return no_collision(Reason.NO_CANDIDATE, f"no part found an object{unknown}", empty)
    choice = selection.choose(evidence_of(present, logits, moment))
    not_in_view = 1.0 - (1.0 - onset_doubt) * (1.0 - choice.not_in_view)
    probability = (1.0 - onset_doubt) * choice.probability
    if not_in_view >= config.not_in_view:
        detail = f"nothing in view collided, with a probability of {not_in_view:.2f}{unknown}"
        others = tuple(replace(item, reason="nothing in view collided") for item in present)
        result = no_collision(Reason.NOT_IN_VIEW, detail, others + empty)
        return replace(result, confidence=not_in_view, not_in_view=not_in_view)
    detail = f"the likeliest of all options, right with a probability of {probability:.2f}{unknown}"
    chosen = [_with_all_roles(present[index], present, verification, detail) for index in choice.option]
    if len(chosen) == 2:
        _, _, nearest = closest_pair([item.mask for item in chosen])
        chosen = [replace(chosen[0], contact_xy=nearest.first_xy), replace(chosen[1], contact_xy=nearest.second_xy)]
    others = tuple(
        replace(item, reason="another option is likelier")
        for index, item in enumerate(present)
        if index not in choice.option
    )
    return CollisionResult(
        verdict=Verdict(len(chosen)),
        reason=Reason.LIKELIEST,
        detail=detail,
        masks=tuple(chosen),
        rejected=others + empty,
        confidence=probability,
        not_in_view=not_in_view,
    )


def _with_all_roles(
    one: Candidate, present: Sequence[Candidate], verification: VerificationConfig, reason: str
) -> Candidate:
    """The candidate with the roles of all who proposed the same object."""
    role = one.role
    for other in present:
        if other is not one and is_one_object(one.mask, other.mask, verification):
            role |= other.role
    return replace(one, role=role, reason=reason)


def _scores(candidates: Sequence[Candidate]) -> Float32Array:
    return np.array([0.0 if math.isnan(item.score) else item.score for item in candidates], np.float32)
