"""Lets the arms of a clip follow their hands: each picture shows them along a new path from wrist to shoulder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from training.simulation.objects.meshes import Mesh, Points
from training.simulation.scene import arms, hands
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import LayoutError

_NEAREST_M = 0.20
"""How far from the camera an arm stays where it can be seen, along the axis of the view."""
_SLEEVE_M = 0.06


def _path(scene: SimulatedScene, side: int, hand: Points, turn: Rotation) -> Points:
    """The path of an arm whose hand is at `hand` [3] and turned by `turn` from how it was laid out, world [64, 3]."""
    plan, shoulder = scene.layout.plans[side], scene.layout.shoulders[side]
    _, wrist = hands.hand_mesh(plan.pose, plan.grip_radius)
    turn = turn * plan.rotation
    wrist = hand + turn.apply(wrist * (-side, 1.0, 1.0))
    return arms.arm_path(wrist, turn.apply(arms.INTO_ARM), arms.elbow_of(wrist, shoulder, side), shoulder)[0]


def check_view(scene: SimulatedScene, side: int, hand: Points) -> None:
    """Raises a LayoutError if an arm would fill the view of the camera with its hand at `hand`, world [3]."""
    path = scene.camera.rotation.inv().apply(_path(scene, side, hand, Rotation.identity()) - scene.camera.position)
    depth = -path[:, 2]
    edge = depth * np.tan(scene.camera.fov_y / 2) + _SLEEVE_M
    seen = (depth > -_SLEEVE_M) & (np.abs(path[:, 0]) < edge * 4 / 3) & (np.abs(path[:, 1]) < edge)
    if (seen & (depth < _NEAREST_M)).any():
        raise LayoutError("an arm would come too near to the camera")


def bent_arms(scene: SimulatedScene, data: Any) -> Iterator[tuple[int, Mesh]]:
    """Yields the geoms of arms and sleeves with the mesh that each should show, in its own frame.

    Args:
        scene: The scene.
        data: Its state, with the kinematics computed.
    """
    for side, arm in scene.arms.items():
        letter = "LR"[side > 0]
        hand = data.body(f"hand{letter}")
        path = _path(scene, side, hand.xpos, Rotation.from_matrix(hand.xmat.reshape(3, 3)))
        for name, mesh in zip(("arm", "sleeve"), arm.along(path), strict=True):
            geom = data.geom(f"hand{letter}.{name}")
            local = (mesh.vertices - geom.xpos) @ geom.xmat.reshape(3, 3)
            yield geom.id, Mesh(vertices=np.ascontiguousarray(local), faces=mesh.faces, uv=mesh.uv)
