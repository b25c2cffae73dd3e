"""Lets the arms of a clip follow their hands: each picture shows them along a new path from wrist to shoulder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from training.world import arms, hands
from training.world.meshes import Mesh
from training.world.scene import Scene


def bent_arms(scene: Scene, data: Any) -> Iterator[tuple[int, Mesh]]:
    """Yields the geoms of arms and sleeves with the mesh that each should show, in its own frame.

    Args:
        scene: The scene.
        data: Its state, with the kinematics computed.
    """
    for side, arm in scene.arms.items():
        plan, letter = scene.layout.plans[side], "LR"[side > 0]
        hand = data.body(f"hand{letter}")
        turn = hand.xmat.reshape(3, 3)
        _, wrist = hands.hand_mesh(plan.pose, plan.grip_radius)
        wrist = hand.xpos + turn @ plan.rotation.apply(wrist * (-side, 1.0, 1.0))
        elbow = arms.elbow_of(wrist, scene.layout.shoulders[side], side)
        into_arm = turn @ plan.rotation.apply(arms.INTO_ARM)
        path, _ = arms.arm_path(wrist, into_arm, elbow, scene.layout.shoulders[side])
        for name, mesh in zip(("arm", "sleeve"), arm.along(path)):
            geom = data.geom(f"hand{letter}.{name}")
            local = (mesh.vertices - geom.xpos) @ geom.xmat.reshape(3, 3)
            yield geom.id, Mesh(vertices=np.ascontiguousarray(local), faces=mesh.faces, uv=mesh.uv)
