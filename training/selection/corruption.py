"""Events as they are outside the simulated world: candidates that are missing, wrong or invented, and flow with noise.

In the world hands are always right, so a selection that learns on clean candidates learns to trust them, which real
pictures punish. Every draw here spoils some of what is known; what is right afterwards is measured again on the masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.moment.evidence import ReducedCandidates
from cs3_model.moment.motion import Motion
from cs3_model.types import Float32Array, Role
from training.selection.framing import reframed
from training.selection.selection_events import SelectionEvent

_HELD = Role.RIGHT_HAND | Role.LEFT_HAND
_ROLES = (Role.RIGHT_HAND, Role.LEFT_HAND, Role.AUDIO_VISUAL, Role.MOVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class CorruptionRates:
    """How often each thing goes wrong, as probabilities."""

    other_lens: float = 0.7
    """A closer view or a wider picture (`training.selection.framing`)."""
    all_hands_missing: float = 0.3
    hand_missing: float = 0.25
    candidate_missing: float = 0.1
    role_wrong: float = 0.2
    mask_spoilt: float = 0.3
    invented: float = 0.5
    """Of one invented candidate, and of each further one after it."""
    map_useless: float = 0.4
    level_kept: float = 0.5
    """How high a map is says less of other sounds and other networks than of those that were learned from."""
    camera_stands: float = 0.25
    """Head cameras never stand as still as tripods."""
    motion_missing: float = 0.12
    stands_still: float = 0.5
    """Of one of the objects that collided, and by half of that of all of them."""
    something_else_moves: float = 0.4
    noisy_flow: float = 0.6


def corrupted(event: SelectionEvent, rng: np.random.Generator, rates: CorruptionRates) -> SelectionEvent:
    """One draw of an event with some of its evidence spoilt; the truth stays."""
    if rng.random() < rates.other_lens:
        event = reframed(event, rng)
    found = _with_fewer(event.candidates, rng, rates)
    found = _with_wrong_masks(found, rng, rates)
    found = _with_inventions(found, rng, rates)
    found = replace(found, logits=_spoilt_map(found.logits, rng, rates), scores=_spoilt_scores(found.scores, rng))
    disturbance = _draw_disturbance(event, found, rng, rates)
    before, after = (_spoilt_motion(motion, disturbance, rng, rates) for motion in (event.before, event.after))
    return replace(event, candidates=found, before=before, after=after)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Disturbance:
    """What is different about the motion of an event, before and after the onset alike."""

    speed: float
    """Everything is so many times faster."""
    still: npt.NDArray[np.bool_] | None
    """[h, w]: what does not budge."""
    moving: npt.NDArray[np.bool_] | None
    """[h, w]: something that has nothing to do with the collision and moves as well."""
    velocity: Float32Array
    """[2]: how that moves."""
    camera_stands: bool


def _draw_disturbance(
    event: SelectionEvent, found: ReducedCandidates, rng: np.random.Generator, rates: CorruptionRates
) -> _Disturbance:
    true_masks = event.true_masks
    struck: npt.NDArray[np.bool_] = np.logical_or.reduce(true_masks, axis=0)
    still: npt.NDArray[np.bool_] | None = None
    moving: npt.NDArray[np.bool_] | None = None
    if len(true_masks) and rng.random() < rates.stands_still:
        one = true_masks[rng.integers(len(true_masks))]
        still = struck if rng.random() < 0.5 else one
    if rng.random() < rates.something_else_moves:
        others = found.masks[rng.integers(len(found.masks))] & ~struck
        moving = others if rng.random() < 0.5 else _ellipse(found.logits.shape, rng)
    speed, angle = np.exp(rng.uniform(np.log(0.05), np.log(1.5))), rng.uniform(0.0, 2.0 * np.pi)
    return _Disturbance(
        speed=float(np.exp(rng.uniform(np.log(0.4), np.log(2.0)))),
        still=still,
        moving=moving,
        velocity=np.array([speed * np.cos(angle), speed * np.sin(angle)], np.float32),
        camera_stands=bool(rng.random() < rates.camera_stands),
    )


def _with_fewer(found: ReducedCandidates, rng: np.random.Generator, rates: CorruptionRates) -> ReducedCandidates:
    no_hands = rng.random() < rates.all_hands_missing
    kept, roles = [], []
    for index, role in enumerate(found.roles):
        is_held = bool(role & _HELD)
        if (is_held and (no_hands or rng.random() < rates.hand_missing)) or rng.random() < rates.candidate_missing:
            continue
        kept.append(index)
        roles.append(_ROLES[rng.integers(len(_ROLES))] if rng.random() < rates.role_wrong else role)
    return replace(found, masks=found.masks[kept], roles=tuple(roles), scores=found.scores[kept])


def _with_wrong_masks(found: ReducedCandidates, rng: np.random.Generator, rates: CorruptionRates) -> ReducedCandidates:
    masks = found.masks.copy()
    for index in range(len(masks)):
        if rng.random() < rates.mask_spoilt:
            spoilt = _spoilt_mask(masks[index], found.masks, rng)
            if spoilt.any():
                masks[index] = spoilt
    return replace(found, masks=masks)


def _spoilt_mask(
    mask: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    kind = rng.integers(4)
    if kind == 0:  # displaced
        shift = rng.integers(-mask.shape[1] // 8, mask.shape[1] // 8 + 1, size=2)
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        return cv2.warpAffine(mask.view(np.uint8), matrix, mask.shape[::-1]).astype(bool)
    if kind == 1:  # joined with its neighbour
        return mask | others[rng.integers(len(others))]
    side = int(rng.integers(3, 12))
    change = cv2.dilate if kind == 2 else cv2.erode
    return change(mask.view(np.uint8), np.ones((side, side), np.uint8)).astype(bool)


def _with_inventions(found: ReducedCandidates, rng: np.random.Generator, rates: CorruptionRates) -> ReducedCandidates:
    masks, roles, scores = list(found.masks), list(found.roles), found.scores.tolist()
    while rng.random() < rates.invented or not masks:
        masks.append(_ellipse(found.logits.shape, rng))
        roles.append(_ROLES[rng.integers(len(_ROLES))])
        scores.append(float(rng.uniform(0.2, 1.0)))
    return replace(found, masks=np.stack(masks), roles=tuple(roles), scores=np.array(scores, np.float32))


def _ellipse(size_hw: Sequence[int], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    height, width = size_hw
    canvas = np.zeros((height, width), np.uint8)
    middle = (int(rng.integers(width)), int(rng.integers(height)))
    axes = tuple(int(value) for value in np.exp(rng.uniform(np.log(3), np.log(width / 3), 2)))
    cv2.ellipse(canvas, middle, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return canvas.astype(bool)


def _spoilt_map(logits: Float32Array, rng: np.random.Generator, rates: CorruptionRates) -> Float32Array:
    """Steeper or flatter, higher or lower; or hills anywhere, as high as those of the map."""
    low, high = float(logits.min()), float(logits.max())
    if rng.random() < rates.map_useless:
        noise = cv2.GaussianBlur(rng.random(logits.shape, np.float32), (0, 0), float(rng.uniform(6, 24)))
        noise -= noise.min()
        logits = low + (high - low) * noise / (float(noise.max()) + 1e-9)
    shift = rng.normal(0.0, 1.0 if rng.random() < rates.level_kept else 5.0)
    return (high + (logits - high) * rng.uniform(0.6, 1.3) + shift).astype(np.float32)


def _spoilt_scores(scores: Float32Array, rng: np.random.Generator) -> Float32Array:
    return (np.clip(scores, 0.0, 1.0) ** np.float32(rng.uniform(0.5, 2.0)) * rng.uniform(0.6, 1.0)).astype(np.float32)


def _spoilt_motion(
    motion: Motion | None, disturbance: _Disturbance, rng: np.random.Generator, rates: CorruptionRates
) -> Motion | None:
    """Faster or slower, with objects that do not budge and others that do, and with the noise of compressed video."""
    if motion is None or rng.random() < rates.motion_missing:
        return None
    velocity = motion.velocity * np.float32(disturbance.speed)
    if disturbance.still is not None:
        velocity = np.where(disturbance.still[..., None], velocity * np.float32(rng.uniform(0.0, 0.3)), velocity)
    if disturbance.moving is not None:
        velocity = np.where(disturbance.moving[..., None], disturbance.velocity, velocity)
    if rng.random() < rates.noisy_flow:
        velocity = velocity + _noise(velocity.shape[:2], rng)
    explained = motion.explained * rng.uniform(0.4, 1.0)
    if disturbance.camera_stands:
        explained = 1.0 - (1.0 - motion.explained) * rng.uniform(0.0, 1.0)
    return replace(motion, velocity=velocity.astype(np.float32), explained=float(np.clip(explained, 0.0, 1.0)))


def _noise(size_hw: Sequence[int], rng: np.random.Generator) -> Float32Array:
    """Wrong vectors [h, w, 2] in blocks, with hard edges or soft ones."""
    height, width = size_hw
    level = float(np.exp(rng.uniform(np.log(0.005), np.log(0.15))))
    block = int(rng.choice([8, 16, 32]))
    coarse = rng.normal(0.0, level, (-(-height // block), -(-width // block), 2)).astype(np.float32)
    interpolation = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=interpolation), np.float32)
