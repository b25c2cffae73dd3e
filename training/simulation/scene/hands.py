"""Hands: smooth level sets of their bones.

The hand's own frame, for a left hand: the origin is the middle of what it grips, x points to the thumb, y from the
wrist to the fingers and z out of the back of the hand. A right hand is the mirror image at x = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from training.simulation.objects.meshes import Mesh, Points, level_set

_FINGERS = (
    # x of the knuckle, length of the finger, radius at its root
    (0.030, 0.079, 0.0094),
    (0.0105, 0.087, 0.0096),
    (-0.009, 0.081, 0.0091),
    (-0.0275, 0.064, 0.0080),
)
_PHALANGES = np.array([0.0, 0.46, 0.76, 1.0])
_CELL = 0.0034
GRIP_RADII = (0.012, 0.019, 0.025, 0.030, 0.035, 0.040, 0.046)
"""Radii for which a wrapping hand is modelled; others take the next larger one."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Skeleton:
    """Bones of one pose: each finger a chain of points with a radius at each."""

    fingers: tuple[tuple[Points, Points], ...]
    """Index to little finger, then the thumb: points [4, 3] and radii [4], from knuckle to tip."""
    wrist: Points
    """Middle of the wrist [3]."""
    palm: Points
    """Points [5, 3] at which the knuckles and the root of the thumb meet the palm."""


def wrapping(radius: float) -> Skeleton:
    """A fist around a cylinder of `radius` along x."""
    bend = max(radius, 0.017)
    # A thin handle lies in the crook of the fingers, against the palm.
    centre_z = radius - bend
    around = bend + 0.0085
    fingers = []
    for x, length, thick in _FINGERS:
        angle = np.deg2rad(80.0) - np.minimum(_PHALANGES * length / around, np.deg2rad(265.0))
        # Bones are chords: their ends lie outside of the circle that their middles should touch.
        ends = around * (1.0 + 0.7 * (1.0 - np.cos(0.5 * (angle[0] - angle[1]))))
        chain = np.stack([np.full(4, x), ends * np.cos(angle), centre_z + ends * np.sin(angle)], 1)
        chain[:, 0] *= 1.0 - 0.06 * _PHALANGES
        fingers.append((chain, thick * np.array([1.0, 0.95, 0.88, 0.76])))
    thumb_angle = np.deg2rad([128.0, 172.0, 215.0, 246.0])
    reach = around + np.array([0.004, 0.004, 0.002, 0.0])
    thumb = np.stack(
        [np.array([0.012, 0.033, 0.044, 0.047]), reach * np.cos(thumb_angle), centre_z + reach * np.sin(thumb_angle)], 1
    )
    thumb[0, 1:] = (-0.034, centre_z + around * 0.75)
    fingers.append((thumb, np.array([0.0135, 0.0118, 0.0108, 0.0086])))
    wrist = np.array([0.0, -0.072, centre_z + around + 0.013])
    palm = np.array([f[0][0] for f in fingers[:4]] + [thumb[0]])
    return Skeleton(fingers=tuple(fingers), wrist=wrist, palm=palm)


def pinching(half_thickness: float) -> Skeleton:
    """A thumb above and fingers below an edge in the plane z = 0 that faces the wrist."""
    drop = half_thickness + 0.0085
    fingers = []
    for x, length, thick in _FINGERS:
        y = -0.034 + length * _PHALANGES * 0.93
        z = -drop - 0.016 * np.array([1.0, 0.45, 0.1, 0.0])
        fingers.append(
            (np.stack([np.full(4, x) * (1 - 0.1 * _PHALANGES), y, z], 1), thick * np.array([1, 0.95, 0.88, 0.76]))
        )
    thumb = np.array(
        [[0.022, -0.066, -0.012], [0.034, -0.040, 0.006], [0.032, -0.010, drop + 0.006], [0.027, 0.016, drop]]
    )
    fingers.append((thumb, np.array([0.0140, 0.0120, 0.0106, 0.0088])))
    palm = np.array([f[0][0] for f in fingers[:4]] + [thumb[0]])
    return Skeleton(fingers=tuple(fingers), wrist=np.array([0.0, -0.118, -drop - 0.008]), palm=palm)


def resting() -> Skeleton:
    """A relaxed, empty hand, palm down over the plane z = 0."""
    fingers = []
    for index, (x, length, thick) in enumerate(_FINGERS):
        spread = 1.0 + 0.16 * _PHALANGES
        y = 0.0 + length * _PHALANGES * (0.93 - 0.02 * index)
        z = 0.030 + np.array([0.004, 0.006, -0.006, -0.021])
        fingers.append((np.stack([x * spread, y, z], 1), thick * np.array([1.0, 0.95, 0.88, 0.76])))
    thumb = np.array([[0.022, -0.052, 0.026], [0.046, -0.026, 0.022], [0.060, 0.002, 0.017], [0.062, 0.024, 0.012]])
    fingers.append((thumb, np.array([0.0140, 0.0120, 0.0106, 0.0088])))
    palm = np.array([f[0][0] for f in fingers[:4]] + [thumb[0]])
    return Skeleton(fingers=tuple(fingers), wrist=np.array([0.0, -0.088, 0.036]), palm=palm)


def _cone_distance(points: Points, a: Points, b: Points, radius_a: float, radius_b: float) -> Points:
    axis, away = b - a, points - a
    share = np.clip(away @ axis / (axis @ axis), 0.0, 1.0)
    x, y, z = (away - share[:, None] * axis).T
    return np.sqrt(x * x + y * y + z * z) - (radius_a + share * (radius_b - radius_a))


def _blend(a: Points, b: Points, width: float) -> Points:
    """Smooth minimum of two distances (polynomial, I. Quilez)."""
    share = np.clip(0.5 + 0.5 * (b - a) / width, 0.0, 1.0)
    return b + (a - b) * share - width * share * (1.0 - share)


def _hand_distance(points: Points, bones: Skeleton) -> Points:
    palm = np.full(len(points), 1.0)
    for index, knuckle in enumerate(bones.palm):
        root = bones.wrist + np.array([(0.012, 0.004, -0.004, -0.012, 0.012)[index], 0.004, 0.0])
        thick = (0.0150, 0.0155, 0.0150, 0.0135, 0.0175)[index]
        palm = _blend(palm, _cone_distance(points, root, knuckle, 0.0165, thick - 0.0035), 0.012)
    stump = bones.wrist - np.array([0.0, 0.030, 0.002])
    for side in (-0.009, 0.009):
        offset = np.array([side, 0.0, 0.0])
        palm = _blend(palm, _cone_distance(points, stump + offset, bones.wrist + offset, 0.0185, 0.0175), 0.010)
    hand = palm
    for number, (chain, radii) in enumerate(bones.fingers):
        finger = np.full(len(points), 1.0)
        for joint in range(3):
            bone = _cone_distance(points, chain[joint], chain[joint + 1], radii[joint], radii[joint + 1])
            finger = _blend(finger, bone, 0.004)
        hand = np.minimum(hand, _blend(palm, finger, 0.012 if number == 4 else 0.008))
    return hand


def _tints(points: Points, bones: Skeleton) -> Points:
    """Place of each vertex in the palette of `textures.skin_palette`: 0 back, 1/3 knuckle, 2/3 palm, 1 nail."""
    tint = np.zeros(len(points))
    for chain, radii in bones.fingers:
        for joint in (1, 2) if chain is bones.fingers[4][0] else (0, 1, 2):
            near = np.linalg.norm(points - chain[joint], axis=1) / (radii[joint] * 1.25)
            tint = np.maximum(tint, np.clip(1.35 - near, 0.0, 1.0) * 0.33)
        tip = np.linalg.norm(points - chain[3], axis=1) / (radii[3] * 1.3)
        tint = np.where(tip < 1.0, np.maximum(tint, 0.5), tint)
    for chain, radii in bones.fingers:
        along = chain[3] - chain[2]
        along = along / np.linalg.norm(along)
        # The dorsal side looks away from the centre of curvature of the finger.
        bend = (
            chain[1] - 0.5 * (chain[0] + chain[2])
            if np.ptp(chain @ np.array([0.0, 0.3, 1.0])) > 0.004
            else np.eye(3)[2]
        )
        dorsal = bend - along * (bend @ along)
        dorsal = dorsal / (np.linalg.norm(dorsal) + 1e-9)
        side = np.cross(along, dorsal)
        offset = points - (chain[3] - along * radii[3] * 0.1 + dorsal * radii[3] * 0.95)
        nail = (
            (offset @ along / (radii[3] * 0.95)) ** 2
            + (offset @ side / (radii[3] * 0.72)) ** 2
            + (offset @ dorsal / (radii[3] * 0.6)) ** 2
        )
        tint = np.where(nail < 1.0, 1.0, tint)
    return tint


@cache
def hand_mesh(kind: str, radius: float) -> tuple[Mesh, npt.NDArray[np.float64]]:
    """Returns the mesh of a left hand and the middle of its wrist [3]; computed once per process.

    Args:
        kind: ``wrap``, ``pinch`` or ``rest``.
        radius: Radius of a wrapped cylinder, half the thickness of a pinched edge; unused at rest.

    Raises:
        ValueError: if there is no such pose.
    """
    poses: dict[str, Callable[[float], Skeleton]] = {"wrap": wrapping, "pinch": pinching, "rest": lambda _: resting()}
    if kind not in poses:
        raise ValueError(f"pose must be one of {', '.join(poses)}, got {kind!r}")
    bones = poses[kind](radius)
    points = np.concatenate([chain for chain, _ in bones.fingers] + [bones.wrist[None]])
    low, high = points.min(0) - (0.026, 0.045, 0.026), points.max(0) + 0.026
    vertices, faces = level_set(lambda p: _hand_distance(p, bones), low, high, _CELL)
    v = vertices @ np.array([9.0, 11.0, 7.0])
    mesh = Mesh(vertices=vertices, faces=faces, uv=np.stack([0.02 + 0.96 * _tints(vertices, bones), v], 1))
    return mesh, bones.wrist


def modelled_grip_radius(radius: float) -> float:
    """The smallest modelled radius that is not less than `radius`, or the largest."""
    return next((modelled for modelled in GRIP_RADII if modelled >= radius - 5e-4), GRIP_RADII[-1])
