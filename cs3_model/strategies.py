"""The ways to choose masks that Table 3 of the paper compares; `ours` is the method itself."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import replace

from cs3_model.types import Candidate, CollisionResult, Reason, Role, Verdict, no_collision
from cs3_model.verification import VerificationConfig, verify_collision

_ADJACENT_PX = 1.5


class Strategy(str, enum.Enum):
    """How the colliding masks are chosen among the candidates."""

    OURS = "ours"
    """Merge and verify (section 4.3)."""
    RIGHT = "right"
    """The object in the right hand."""
    LEFT = "left"
    """The object in the left hand."""
    RIGHT_LEFT = "right-left"
    """The objects in both hands."""
    RIGHT_AV = "right-av"
    """The object in the right hand and the one that the sound points at."""
    LEFT_AV = "left-av"
    """The object in the left hand and the one that the sound points at."""
    LEARNED = "learned"
    """The likeliest option of a trained selection, which also weighs what moved (`cs3_model.moment`). Not the paper's."""
    TOUCH = "touch"
    """The object in the right hand and the one that the detector says it touches. Of a detector that cannot say so
    (`HandObjectDetector.names_touched`), it is the object in the right hand alone, and the reason says so."""
    ADJACENT = "adjacent"
    """As `ours`, but two objects must be adjacent or overlap; not in the paper."""


RULES = tuple(strategy for strategy in Strategy if strategy is not Strategy.LEARNED)
"""The strategies that need no weights."""

_FIXED_ROLES = {
    Strategy.RIGHT: (Role.RIGHT_HAND,),
    Strategy.LEFT: (Role.LEFT_HAND,),
    Strategy.RIGHT_LEFT: (Role.RIGHT_HAND, Role.LEFT_HAND),
    Strategy.RIGHT_AV: (Role.RIGHT_HAND, Role.AUDIO_VISUAL),
    Strategy.LEFT_AV: (Role.LEFT_HAND, Role.AUDIO_VISUAL),
    Strategy.TOUCH: (Role.RIGHT_HAND, Role.TOUCHED),
}


def choose_masks(
    candidates: Sequence[Candidate], strategy: Strategy, verification: VerificationConfig
) -> CollisionResult:
    """Applies a strategy to the first candidate of each role; the others are rejected for what they were proposed with.

    Raises:
        ValueError: for the strategy `learned`, which is not a rule (`cs3_model.moment.choice`).
    """
    if strategy is Strategy.LEARNED:
        raise ValueError("the strategy 'learned' needs weights and motion: the pipeline applies it")
    weighed = first_of_each_role(candidates)
    if strategy is Strategy.OURS:
        result = verify_collision(weighed, verification)
    elif strategy is Strategy.ADJACENT:
        adjacent = replace(verification, contact_distance_px=_ADJACENT_PX, reference_width_px=0)
        result = verify_collision(weighed, adjacent)
    else:
        result = _select(weighed, _FIXED_ROLES[strategy], strategy)
    others = tuple(candidate for candidate in candidates if not any(candidate is one for one in weighed))
    return replace(result, rejected=result.rejected + others)


def first_of_each_role(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates that a strategy weighs: where several objects may be the heard one, the likeliest."""
    first: dict[Role, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.role, candidate)
    return tuple(first.values())


def _select(candidates: Sequence[Candidate], roles: Sequence[Role], strategy: Strategy) -> CollisionResult:
    by_role = {candidate.role: candidate for candidate in candidates if candidate.mask.any()}
    detail = f"the strategy '{strategy.value}' takes it unseen"
    if Role.TOUCHED in roles and Role.TOUCHED not in by_role:
        detail = "the hand detector names nothing that the object in the right hand touches"
    masks = tuple(replace(by_role[role], reason=detail) for role in roles if role in by_role)
    others = tuple(
        replace(candidate, reason=f"the strategy '{strategy.value}' does not use it")
        for candidate in candidates
        if candidate.role not in roles
    )
    if not masks:
        return no_collision(Reason.NO_CANDIDATE, f"nothing for the strategy '{strategy.value}' to take", others)
    return CollisionResult(
        verdict=Verdict(len(masks)), reason=Reason.SELECTED, detail=detail, masks=masks, rejected=others
    )
