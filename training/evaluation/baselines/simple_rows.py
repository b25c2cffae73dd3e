"""The rows that need no network: guesses, and bounds by who knows the true masks and hands.

A row that knows the truth is a bound, not a method: its label says what it knows.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.strategies import Strategy, choose_masks
from cs3_model.types import (
    BoolMask,
    Candidate,
    CollisionResult,
    Reason,
    Role,
    Verdict,
    no_collision,
)
from cs3_model.verification import VerificationConfig
from training.data.samples import Hand, SceneObject
from training.evaluation.oracle import best_for
from training.evaluation.row import LoadedSample

_SQUARE_AREA = 0.1
"""Share of the image that the square of the paper's Centre row covers; taken as area, like its area prior."""


def centre_square(scene: LoadedSample) -> CollisionResult:
    """The paper's Centre row: a square of 10 % of the area in the middle."""
    height, width = scene.frame.size_hw
    return _selected([_square(scene, width / 2, height / 2)], "the middle of the image")


def random_square(scene: LoadedSample, seed: int) -> CollisionResult:
    """The square of the Centre row around a random pixel."""
    height, width = scene.frame.size_hw
    rng = _generator(scene, seed)
    return _selected([_square(scene, rng.uniform(0, width), rng.uniform(0, height))], "a random place")


def random_objects(scene: LoadedSample, seed: int) -> CollisionResult:
    """Two random objects that can be seen."""
    visible = _nearby_objects(scene)
    chosen = _generator(scene, seed).permutation(len(visible))[:2]
    return _selected([_candidate(Role.AUDIO_VISUAL, visible[index].mask) for index in chosen], "random objects")


def held_and_nearest(scene: LoadedSample) -> CollisionResult:
    """The held object and the other object that are nearest to each other."""
    pair = _nearest_pair(scene)
    if pair is None:
        held = [item for item in _nearby_objects(scene) if item.held_by]
        return _selected([_held_candidate(item) for item in held[:1]], "the only object that is held")
    return _selected([_held_candidate(item) for item in pair], "a held object and the one nearest to it")


def by_strategy(scene: LoadedSample, strategy: Strategy) -> CollisionResult:
    """A strategy of Table 3, given the true masks of the held objects."""
    return choose_masks(_candidates(scene), strategy, VerificationConfig())


def best_choice(scene: LoadedSample) -> CollisionResult:
    """The best of these candidates: what perfect verification could reach (Table 3, Oracle)."""
    return best_for(_candidates(scene), scene)


def _candidates(scene: LoadedSample) -> list[Candidate]:
    """The true held objects; the object nearest to one of them stands for what the sound points at."""
    visible = _nearby_objects(scene)
    candidates = []
    for hand, role in ((Hand.RIGHT, Role.RIGHT_HAND), (Hand.LEFT, Role.LEFT_HAND)):
        held = [item for item in visible if hand in item.held_by]
        if held:
            largest = max(held, key=lambda item: np.count_nonzero(item.mask))
            candidates.append(_candidate(role, largest.mask))
    pair = _nearest_pair(scene, others_free=True)
    return candidates + ([_candidate(Role.AUDIO_VISUAL, pair[1].mask)] if pair else [])


def _nearest_pair(scene: LoadedSample, *, others_free: bool = False) -> tuple[SceneObject, SceneObject] | None:
    """A held object and another one, of the smallest distance; with `others_free` the other is in no hand.

    Ties are common, since an object touches all that it overlaps in the image; a fixed random order breaks them, so
    that the order in which a data set lists its objects tells nothing.
    """
    visible = _nearby_objects(scene)
    visible = [visible[index] for index in _generator(scene, seed=0).permutation(len(visible))]
    distances_px: dict[tuple[SceneObject, SceneObject], float] = {}
    for held in (item for item in visible if item.held_by):
        to_held = cv2.distanceTransform((~held.mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for other in visible:
            if other is not held and not (others_free and other.held_by):
                distances_px[held, other] = float(to_held[other.mask].min())
    return min(distances_px, key=distances_px.__getitem__, default=None)


def _nearby_objects(scene: LoadedSample) -> list[SceneObject]:
    return [item for item in scene.objects if item.mask.any() and not item.is_surface]


def _held_candidate(item: SceneObject) -> Candidate:
    roles = {Hand.LEFT: Role.LEFT_HAND, Hand.RIGHT: Role.RIGHT_HAND}
    return _candidate(next((roles[hand] for hand in roles if hand in item.held_by), Role.AUDIO_VISUAL), item.mask)


def _square(scene: LoadedSample, x: float, y: float) -> Candidate:
    """The square around a pixel, shifted inside the image."""
    height, width = scene.frame.size_hw
    side = min(round((_SQUARE_AREA * height * width) ** 0.5), height, width)
    left = int(np.clip(round(x - side / 2), 0, width - side))
    top = int(np.clip(round(y - side / 2), 0, height - side))
    mask = np.zeros((height, width), bool)
    mask[top : top + side, left : left + side] = True
    return _candidate(Role.AUDIO_VISUAL, mask)


def _candidate(role: Role, mask: BoolMask) -> Candidate:
    return Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=1.0, reason="proposed")


def _selected(masks: Sequence[Candidate], detail: str) -> CollisionResult:
    if not masks:
        return no_collision(Reason.NO_CANDIDATE, detail)
    return CollisionResult(verdict=Verdict(len(masks)), reason=Reason.SELECTED, detail=detail, masks=tuple(masks))


def _generator(scene: LoadedSample, seed: int) -> np.random.Generator:
    """One per picture, whatever the order or number of samples: rows that do not hear answer the same to all sounds."""
    picture = scene.sample.conditions.group or scene.sample.sample_id
    return np.random.default_rng([seed, zlib.crc32(picture.encode())])
