"""What a learned selection knows of candidates and pairs: geometry, motion and scores, no pixels and no embeddings.

Because nothing here depends on how a preset sees or hears, a selection that was trained behind one preset can stand behind
another. Everything is measured on a coarse grid over the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.moment.motion import Motion
from cs3_model.types import BoolMask, Float32Array, Role

CANDIDATE_FEATURES = (
    "right hand", "left hand", "heard", "moved", "score",
    "log area", "map inside", "highest of the map", "share of the map", "lead in share of the map",
    "speed before", "speed after", "relative speed before", "relative speed after",
    "share of motion before", "share of motion after", "contrast before", "contrast after",
    "agreement before", "agreement after", "change of velocity", "overlap with a held object",
)  # fmt: skip
PAIR_FEATURES = (
    "log distance", "overlap", "approach before", "approach after", "shared boundary",
    "speed where they meet before", "speed where they meet after",
)  # fmt: skip
SCENE_FEATURES = (
    "candidates", "held objects", "mean of the map", "peak of the map", "spread of the map",
    "motion before is known", "motion after is known",
    "fastest before", "fastest after", "mean speed before", "mean speed after",
    "explained before", "explained after",
)  # fmt: skip

GRID_WIDTH = 128
"""Width of the grid; its height follows the picture's shape."""
_SPEED_UNIT = 0.05
"""Picture widths per second that count as one, before the logarithm."""
_SHARE_FLOOR = 0.02
"""Added to shares of the map before they are compared: smaller ones are noise."""
_MEETING_PX = 3.0
"""Where two objects meet is what of the smaller one lies at most so much farther than its nearest place, cells."""
_RING_PX = 4
_LEAST_PIXELS = 6
_SQUARE = np.ones((3, 3), np.uint8)
_WIDE_SQUARE = np.ones((2 * _RING_PX + 1, 2 * _RING_PX + 1), np.uint8)
_SAME_OBJECT_IOU = 0.6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReducedCandidates:
    """Candidates on the grid."""

    masks: npt.NDArray[np.bool_]
    """[K, h, w]."""
    roles: tuple[Role, ...]
    """Who proposed each."""
    scores: Float32Array
    """[K], in [0, 1], of the part that proposed it."""
    logits: Float32Array
    """[h, w]: where the sound points."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SelectionEvidence:
    """What the selection sees of one event."""

    candidates_KD: Float32Array
    """One row per candidate, as `CANDIDATE_FEATURES`."""
    pairs_P2: npt.NDArray[np.intp]
    """The pairs that may have collided, by the indices of their candidates."""
    pairs_PE: Float32Array
    """One row per pair, as `PAIR_FEATURES`."""
    scene_G: Float32Array
    """Of the whole picture, as `SCENE_FEATURES`."""


def grid_hw(frame_hw: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the grid over a frame."""
    return max(16, round(frame_hw[0] * GRID_WIDTH / frame_hw[1])), GRID_WIDTH


def reduced_masks(masks: Sequence[BoolMask], size_hw: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Masks [H, W] on a smaller grid, bool [K, h, w]; one that is thinner than a cell keeps the cells that it touches."""
    height, width = size_hw
    small = np.zeros((len(masks), height, width), bool)
    for index, mask in enumerate(masks):
        share = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        small[index] = share >= 0.5 if (share >= 0.5).sum() >= _LEAST_PIXELS else share > 0
    return small


def reduced_map(logits: Float32Array, size_hw: tuple[int, int]) -> Float32Array:
    """An audio-visual map on the grid."""
    return np.asarray(cv2.resize(logits, size_hw[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def reduced_motion(motion: Motion | None, size_hw: tuple[int, int]) -> Motion | None:
    """A motion on a coarser grid; None stays unknown."""
    if motion is None or motion.velocity.shape[:2] == size_hw:
        return motion
    velocity = cv2.resize(motion.velocity, size_hw[::-1], interpolation=cv2.INTER_AREA)
    return replace(motion, velocity=np.asarray(velocity, np.float32))


def gather(found: ReducedCandidates, before: Motion | None, after: Motion | None) -> SelectionEvidence:
    """Measures candidates, pairs and the whole picture.

    Args:
        found: At least one candidate.
        before: Motion from the time before the onset, at any resolution; None if unknown.
        after: Motion in the time after it; None if unknown.
    """
    shapes = _Shapes.of(found.masks)
    held = [i for i, role in enumerate(found.roles) if role & (Role.RIGHT_HAND | Role.LEFT_HAND)]
    size_hw = found.masks.shape[1], found.masks.shape[2]
    views = [_view(reduced_motion(motion, size_hw)) for motion in (before, after)]
    sound = _SoundMap.of(found.logits, shapes)
    rows = [_candidate_row(found, shapes, index, held, views, sound) for index in range(len(found.roles))]
    pairs, pair_rows = _pairs(size_hw, shapes, views)
    return SelectionEvidence(
        candidates_KD=np.array(rows, np.float32).reshape(len(rows), len(CANDIDATE_FEATURES)),
        pairs_P2=np.array(pairs, np.intp).reshape(-1, 2),
        pairs_PE=np.array(pair_rows, np.float32).reshape(-1, len(PAIR_FEATURES)),
        scene_G=np.array(_scene_row(found, held, (before, after), views, sound), np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Shapes:
    """The pixels of all candidates, by their places in the flattened grid."""

    whole: list[npt.NDArray[np.intp]]
    inner: list[npt.NDArray[np.intp]]
    """Without the edge, where the flow of two sides mixes, if anything is left then."""
    ring: list[npt.NDArray[np.intp]]
    """Around it."""
    overlap_KK: Float32Array
    """IoU of any two."""

    @staticmethod
    def of(masks: npt.NDArray[np.bool_]) -> _Shapes:
        flat = masks.reshape(len(masks), -1).astype(np.float32)
        areas = flat.sum(axis=1)
        shared = flat @ flat.T
        union = areas[:, None] + areas[None] - shared
        whole, inner, ring = [], [], []
        for mask in masks:
            top, left, window = _window(mask, _RING_PX + 1)
            eroded = np.asarray(cv2.erode(window, _SQUARE, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)
            around = np.asarray(cv2.dilate(window, _WIDE_SQUARE), np.uint8) & ~window & np.uint8(1)
            whole.append(_places(window, top, left, mask.shape[1]))
            inner.append(_places(eroded, top, left, mask.shape[1]))
            ring.append(_places(around, top, left, mask.shape[1]))
        inner = [some if some.size >= _LEAST_PIXELS else all_ for some, all_ in zip(inner, whole, strict=True)]
        return _Shapes(whole, inner, ring, shared / np.maximum(union, 1.0))


def _window(mask: BoolMask, margin: int) -> tuple[int, int, npt.NDArray[np.uint8]]:
    """The part of a mask around its pixels, 0 or 1, and where it begins."""
    x_min, y_min, x_max, y_max = (int(edge) for edge in mask_to_box_xyxy(mask))
    top, left = max(0, y_min - margin), max(0, x_min - margin)
    window = mask[top : y_max + margin, left : x_max + margin]
    return top, left, np.ascontiguousarray(window).view(np.uint8)


def _places(window: npt.NDArray[np.uint8], top: int, left: int, width: int) -> npt.NDArray[np.intp]:
    rows, columns = np.nonzero(window)
    return (rows + top) * width + columns + left


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A motion and what is needed of it for every candidate, flattened."""

    velocity_L2: Float32Array
    speed_L: Float32Array
    fastest: float
    total: float


def _view(motion: Motion | None) -> _View | None:
    if motion is None:
        return None
    velocity, speed = motion.velocity, motion.speed.ravel()
    return _View(velocity.reshape(-1, 2), speed, float(np.quantile(speed, 0.99)) + 1e-6, float(speed.sum()) + 1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class _SoundMap:
    """Where the sound points, flattened."""

    height_L: Float32Array
    """Logits stretched to [0, 1]."""
    shares: list[float]
    """Of each candidate: the sum of the spatial softmax on it."""
    leads: list[float]
    """How many times, as a logarithm, the greatest share of a candidate that is another object."""
    peak: float
    """The highest logit."""
    spread: float
    """Entropy of the spatial softmax, 0 for one cell, 1 for all alike."""

    @staticmethod
    def of(logits: Float32Array, shapes: _Shapes) -> _SoundMap:
        flat = logits.ravel()
        low, peak = float(flat.min()), float(flat.max())
        odds = np.exp(flat - peak)
        density = odds / odds.sum()
        shares = [float(density[whole].sum()) for whole in shapes.whole]
        leads = []
        for index, share in enumerate(shares):
            others = [other for at, other in enumerate(shares) if shapes.overlap_KK[index, at] <= _SAME_OBJECT_IOU]
            leads.append(float(np.log((share + _SHARE_FLOOR) / (max(others, default=0.0) + _SHARE_FLOOR))))
        spread = float(-(density * np.log(density + 1e-12)).sum() / np.log(density.size))
        return _SoundMap((flat - low) / max(peak - low, 1e-6), shares, leads, peak, spread)


def _candidate_row(
    found: ReducedCandidates,
    shapes: _Shapes,
    index: int,
    held: Sequence[int],
    views: Sequence[_View | None],
    sound: _SoundMap,
) -> list[float]:
    role, whole = found.roles[index], shapes.whole[index]
    on_map = sound.height_L[whole]
    row = [
        float(Role.RIGHT_HAND in role), float(Role.LEFT_HAND in role),
        float(Role.AUDIO_VISUAL in role), float(Role.MOVED in role), float(found.scores[index]),
        float(np.log10(whole.size / found.logits.size + 1e-4)),
        float(on_map.mean()) if on_map.size else 0.0, float(on_map.max()) if on_map.size else 0.0,
        sound.shares[index], sound.leads[index],
    ]  # fmt: skip
    speeds = [_mean(view.speed_L, shapes.inner[index]) if view else 0.0 for view in views]
    row += [_log_speed(speed) for speed in speeds]
    row += [speed / view.fastest if view else 0.0 for speed, view in zip(speeds, views, strict=True)]
    row += [float(view.speed_L[whole].sum()) / view.total if view else 0.0 for view in views]
    around = [_mean(view.speed_L, shapes.ring[index]) if view else 0.0 for view in views]
    row += [_log_speed(speed) - _log_speed(other) for speed, other in zip(speeds, around, strict=True)]
    means = [_mean_velocity(view, shapes.inner[index]) for view in views]
    row += [float(np.hypot(*mean)) / (speed + 1e-3) for mean, speed in zip(means, speeds, strict=True)]
    both = all(view is not None for view in views)
    row.append(_log_speed(float(np.hypot(*(means[1] - means[0])))) if both else 0.0)
    row.append(max((float(shapes.overlap_KK[index, other]) for other in held if other != index), default=0.0))
    return row


def _pairs(
    size_hw: tuple[int, int], shapes: _Shapes, views: Sequence[_View | None]
) -> tuple[list[tuple[int, int]], list[list[float]]]:
    """All pairs of different objects; two candidates that overlap like one object are no pair."""
    width = size_hw[1]
    distances = [_distance_to(whole, size_hw).ravel() for whole in shapes.whole]
    middles = [np.array([(place % width).mean(), (place // width).mean()]) for place in shapes.whole]
    means = [[_mean_velocity(view, inner) for inner in shapes.inner] for view in views]
    pairs, rows = [], []
    for one, other in combinations(range(len(shapes.whole)), 2):
        overlap = float(shapes.overlap_KK[one, other])
        if overlap > _SAME_OBJECT_IOU:
            continue
        # Measured from the smaller of the two, which is cheaper.
        small, large = (one, other) if shapes.whole[one].size <= shapes.whole[other].size else (other, one)
        apart = distances[large][shapes.whole[small]]
        meeting = shapes.whole[small][apart <= apart.min() + _MEETING_PX]
        towards = middles[other] - middles[one]
        towards = towards / (np.hypot(*towards) + 1e-6)
        closing = [float((of_view[one] - of_view[other]) @ towards) for of_view in means]
        pairs.append((one, other))
        rows.append(
            [
                float(np.log10(apart.min() / width + 0.003)),
                overlap,
                *(float(np.sign(speed)) * _log_speed(abs(speed)) for speed in closing),
                float(np.sqrt(np.count_nonzero(apart <= 2.0)) / width * 10),
                *(_log_speed(_mean(view.speed_L, meeting)) if view else 0.0 for view in views),
            ]
        )
    return pairs, rows


def _scene_row(
    found: ReducedCandidates,
    held: Sequence[int],
    motions: Sequence[Motion | None],
    views: Sequence[_View | None],
    sound: _SoundMap,
) -> list[float]:
    return [
        len(found.roles) / 10,
        len(held) / 2,
        float(sound.height_L.mean()),
        sound.peak / 10,
        sound.spread,
        *(float(view is not None) for view in views),
        *(_log_speed(view.fastest) if view else 0.0 for view in views),
        *(_log_speed(view.total / view.speed_L.size) if view else 0.0 for view in views),
        *(motion.explained if motion else 0.0 for motion in motions),
    ]


def _log_speed(speed: float) -> float:
    return float(np.log1p(speed / _SPEED_UNIT))


def _mean(values_L: Float32Array, places: npt.NDArray[np.intp]) -> float:
    return float(values_L[places].mean()) if places.size else 0.0


def _mean_velocity(view: _View | None, places: npt.NDArray[np.intp]) -> Float32Array:
    if view is None or not places.size:
        return np.zeros(2, np.float32)
    return view.velocity_L2[places].mean(axis=0)


def _distance_to(whole: npt.NDArray[np.intp], size_hw: tuple[int, int]) -> Float32Array:
    away = np.ones(size_hw, np.uint8)
    away.ravel()[whole] = 0
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, 3), np.float32)
