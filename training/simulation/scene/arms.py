"""Arms and sleeves: tubes swept along a path from the wrist over the elbow to behind the shoulder.

What an arm wears is kept apart from where it is, so that a sleeve can follow its hand through a clip.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from training.simulation.objects.meshes import Mesh, Points, tube

_ARM_M = 0.55
"""Length from wrist to shoulder."""
_INSIDE_HAND_M = 0.028
INTO_ARM = np.array([0.0, -1.0, -0.05])
"""Direction from the wrist into the arm, in the hand's own frame."""


def elbow_of(wrist: Points, shoulder: Points, side: int) -> Points:
    """Where the elbow is, for a wrist anywhere on the table, [3].

    Args:
        wrist: [3], world.
        shoulder: [3], world.
        side: -1 left, +1 right.
    """
    reach = wrist - shoulder
    distance = float(np.linalg.norm(reach))
    # A far reach lengthens the arm a little: a shoulder that leaned forward would come into the picture.
    stretch = max(distance / (0.97 * _ARM_M), 1.0)
    forearm, upper = 0.47 * _ARM_M * stretch, 0.53 * _ARM_M * stretch
    along = reach / distance
    foot = (upper**2 - forearm**2 + distance**2) / (2.0 * distance)
    out = float(np.sqrt(max(upper**2 - foot**2, 0.0)))
    pole = np.array([side * 0.8, -0.35, -0.45])
    pole -= along * (pole @ along)
    elbow = shoulder + along * foot + pole / np.linalg.norm(pole) * out
    elbow[2] = max(elbow[2], 0.055)
    return elbow


def arm_path(wrist: Points, into_arm: Points, elbow: Points, shoulder: Points) -> tuple[Points, Points]:
    """A smooth, evenly sampled path from inside the hand to behind the shoulder.

    Args:
        wrist: Middle of the wrist [3].
        into_arm: Unit vector from the hand into the arm [3].
        elbow: [3].
        shoulder: [3].

    Returns:
        Points [64, 3] and the arc length of each [64], both from `_INSIDE_HAND_M` before the wrist on.
    """
    bend = wrist + into_arm * 0.05
    behind = shoulder + np.array([0.0, -0.5, 0.03])  # out of every picture
    corners = [wrist - into_arm * _INSIDE_HAND_M, wrist, bend, elbow, shoulder, behind]
    dense = np.concatenate([a + (b - a) * np.linspace(0, 1, 30)[:-1, None] for a, b in itertools.pairwise(corners)])
    for _ in range(150):
        dense[1:-1] = 0.25 * dense[:-2] + 0.5 * dense[1:-1] + 0.25 * dense[2:]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    steps = np.linspace(0.0, length[-1], 64)
    return np.stack([np.interp(steps, length, dense[:, axis]) for axis in range(3)], 1), steps


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Arm:
    """A bare arm and the sleeve over it, whatever their pose. Each has a ring of vertices at every point of its path."""

    bare_radii: Points
    """[B, 2], at the first B points of the path."""
    sleeve_radii: Points
    """[S, 2], at the last S points of the path."""
    sleeve_repeats: float
    """How often the picture of the cloth repeats along the sleeve."""

    def along(self, path: Points) -> tuple[Mesh, Mesh]:
        """Meshes of arm and sleeve along a path, see `arm_path`, in its frame."""
        bare = tube(path[: len(self.bare_radii)], self.bare_radii, 20)
        sleeve = tube(path[-len(self.sleeve_radii) :], self.sleeve_radii, 22)
        skin_uv = np.stack([np.full(len(bare.uv), 0.03), bare.uv[:, 1] * 5], 1)
        return (
            Mesh(vertices=bare.vertices, faces=bare.faces, uv=skin_uv),
            Mesh(vertices=sleeve.vertices, faces=sleeve.faces, uv=sleeve.uv * (4.0, self.sleeve_repeats)),
        )


def dressed(rng: np.random.Generator, length: Points, sleeve_from: float) -> Arm:
    """Draws an arm with the folds of its sleeve.

    Args:
        rng: Decides the folds.
        length: Arc length of the arm's first path, see `arm_path`.
        sleeve_from: Metres from the wrist at which the sleeve begins.
    """
    # The arm begins inside the hand, thin, so that it never shows through the back of it.
    bare = np.interp(
        length, [0.0, 0.03, 0.06, 0.12, 0.20, 0.30, 0.7], [0.009, 0.0185, 0.0235, 0.032, 0.040, 0.044, 0.052]
    )
    bare_end = int(np.searchsorted(length, sleeve_from + 0.07))  # no farther, else it shows where the sleeve bends
    along = length[length >= sleeve_from + _INSIDE_HAND_M]
    loose = np.interp(along, length, bare) + np.interp(
        along - along[0], [0.0, 0.012, 0.02, 0.2], [0.0075, 0.008, 0.006, 0.010]
    )
    folds = sum(
        rng.uniform(0.0006, 0.0022) * np.sin(along * rng.uniform(90, 260) + rng.uniform(0, 6.3)) for _ in range(3)
    )
    loose = loose + folds * np.clip((along - along[0]) / 0.05, 0.0, 1.0)
    return Arm(
        bare_radii=np.stack([bare * 0.92, bare * 1.06], 1)[:bare_end],
        sleeve_radii=np.stack([loose * 0.95, loose * 1.05], 1),
        sleeve_repeats=(along[-1] - along[0]) / 0.06,
    )


def robotic(length: Points) -> Arm:
    """A robot's arm: a tube with a flange behind the gripper and a wider tube from its middle on.

    Args:
        length: Arc length of the arm's first path, see `arm_path`.
    """
    forearm = np.interp(length, [0.0, 0.025, 0.03, 0.065, 0.07], [0.020, 0.020, 0.036, 0.036, 0.027])
    half = int(np.searchsorted(length, 0.45 * length[-1]))
    upper = np.full(len(length) - half, 0.036)
    upper[:3] = 0.042
    return Arm(
        bare_radii=np.stack([forearm, forearm], 1)[: half + 2],
        sleeve_radii=np.stack([upper, upper], 1),
        sleeve_repeats=1.0,
    )
