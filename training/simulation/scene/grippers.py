"""Grippers of robots: two jaws before a palm, in the place of a hand and in its frame, see `hands`."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from training.simulation.objects.meshes import Mesh, box, joined
from training.simulation.scene.hands import hand_mesh

_JAW_HALF_M = np.array([0.011, 0.034, 0.005])
"""Half extents of a jaw: its width, its length, its thickness."""
_TIP_M = 0.020
"""How far the jaws reach beyond the middle of what they grip."""
_OPEN_M = 0.028
"""Half the gap of an empty gripper, and its height over the plane on which a hand would rest."""


@cache
def gripper_mesh(kind: str, radius: float) -> Mesh:
    """The mesh of a gripper that holds what the hand of this pose would, from the same wrist; computed once per process.

    Args:
        kind: ``wrap``, ``pinch`` or ``rest``, see `hands.hand_mesh`.
        radius: Radius of a wrapped cylinder, half the thickness of a pinched edge; unused at rest.

    Raises:
        ValueError: if there is no such pose.
    """
    _, wrist = hand_mesh(kind, radius)
    is_empty = kind == "rest"
    middle = np.array([0.0, 0.0, _OPEN_M if is_empty else 0.0])
    gap = _OPEN_M if is_empty else radius
    away = middle - wrist
    # A cylinder is gripped from where the wrist is; an edge and the plane below an empty gripper lie along the jaws.
    tilt = float(np.arctan2(away[2], away[1])) if kind == "wrap" else 0.0
    _, length, thickness = _JAW_HALF_M
    jaws = [box(_JAW_HALF_M, 0.002).moved((0.0, _TIP_M - length, side * (gap + thickness))) for side in (-1.0, 1.0)]
    back, front = -float(np.hypot(away[1], away[2])) - 0.01, _TIP_M - 2 * length
    palm = box((0.030, (front - back) / 2, max(gap + 2 * thickness, 0.032)), 0.006)
    whole = joined(*jaws, palm.moved((0.0, (front + back) / 2, 0.0)))
    turned = Rotation.from_euler("x", tilt).apply(whole.vertices) + middle
    return Mesh(vertices=turned, faces=whole.faces, uv=whole.uv)
