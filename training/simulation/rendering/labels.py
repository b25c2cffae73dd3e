"""The labels of a picture: ids of objects and hands, what the hands hold, and how much of an object is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.simulation.rendering.camera import Intrinsics, project, to_camera
from training.simulation.rendering.id_map import LEFT_HAND_ID, RIGHT_HAND_ID, TABLE_ID, Box, IdMap, box_of
from training.simulation.scene.mujoco_model import HIDDEN
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import TABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class VisibleHand:
    """One visible hand."""

    side: str
    """left or right."""
    box_xyxy: Box
    """Tight box of the hand without the arm."""
    object: int | None
    """Index of what it holds."""
    object_box_xyxy: Box | None
    """Tight box of the visible part of what it holds."""


def roots(scene: SimulatedScene) -> npt.NDArray[np.int64]:
    """Index of the whole that each item belongs to, [num_items]."""
    return np.array([index if item.part_of is None else item.part_of for index, item in enumerate(scene.layout.items)])


def id_map(scene: SimulatedScene, geom_ids: npt.NDArray[np.int32]) -> IdMap:
    """Turns a map of geom ids into a map of object ids, uint8 [H, W]."""
    whole = roots(scene)
    value = np.zeros(scene.model.ngeom + 1, np.uint8)  # the last entry is for -1, no geom
    for geom, index in enumerate(scene.object_of_geom):
        if index == TABLE:
            value[geom] = TABLE_ID
        elif index >= 0:
            value[geom] = whole[index] + 1
    value[:-1][scene.hand_of_geom < 0] = LEFT_HAND_ID
    value[:-1][scene.hand_of_geom > 0] = RIGHT_HAND_ID
    return value[geom_ids]


def visible_hands(scene: SimulatedScene, geom_ids: npt.NDArray[np.int32], min_pixels: int) -> tuple[VisibleHand, ...]:
    """The visible hands, left first, and what they hold."""
    seen = []
    padded_hand = np.append(np.where(scene.is_hand_proper, scene.hand_of_geom, 0), 0)
    padded_object = np.append(scene.object_of_geom, -2)
    for side in (-1, 1):
        plan = scene.layout.plans.get(side)
        mask = padded_hand[geom_ids] == side
        box = box_of(mask)
        if plan is None or box is None or mask.sum() < min_pixels:
            continue
        held_box = None if plan.item is None else box_of(padded_object[geom_ids] == plan.item)
        seen.append(
            VisibleHand(
                side="left" if side < 0 else "right",
                box_xyxy=box,
                object=None if plan.item is None or held_box is None else int(roots(scene)[plan.item]),
                object_box_xyxy=held_box,
            )
        )
    return tuple(seen)


def occlusion(scene: SimulatedScene, data: Any, index: int, ids: IdMap, camera: Intrinsics) -> float:
    """Hidden share of an object's silhouette within the picture, in [0, 1]."""
    silhouette = np.zeros(ids.shape, np.uint8)
    for geom in np.flatnonzero(roots_of_geoms(scene) == index):
        mesh = scene.model.geom_dataid[geom]
        if mesh < 0 or scene.model.geom_group[geom] == HIDDEN:
            continue
        first, count = scene.model.mesh_vertadr[mesh], scene.model.mesh_vertnum[mesh]
        start, faces = scene.model.mesh_faceadr[mesh], scene.model.mesh_facenum[mesh]
        local = scene.model.mesh_vert[first : first + count]
        world = local @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
        pixels = np.round(project(camera, to_camera(data, world))).astype(np.int32)
        for triangle in pixels[scene.model.mesh_face[start : start + faces]]:
            cv2.fillConvexPoly(silhouette, triangle, 1)
    whole = int(silhouette.sum())
    return float(np.clip(1.0 - (ids == index + 1).sum() / whole, 0.0, 1.0)) if whole else 1.0


def roots_of_geoms(scene: SimulatedScene) -> npt.NDArray[np.int64]:
    """Index of the whole object of each geom, negative where there is none."""
    whole = roots(scene)
    return np.array([whole[index] if index >= 0 else index for index in scene.object_of_geom])
