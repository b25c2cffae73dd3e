"""Labels the picture of a scene: from a simulated state and the geoms that it shows to the values of `truth`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.simulation.dataset.truth import CameraTruth, CollisionTruth, HandTruth, ObjectTruth
from training.simulation.physics.record import SimulatedCollision
from training.simulation.rendering import labels
from training.simulation.rendering.camera import Intrinsics, project, to_camera
from training.simulation.rendering.id_map import TABLE_ID, IdMap, box_of
from training.simulation.rendering.shots import Shots
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import TABLE

MIN_AREA = 0.0012
"""A colliding object must cover this share of the picture, or the scene is drawn again."""
_MIN_HAND_PX = 40


def camera_truth(camera: Intrinsics) -> CameraTruth:
    """The intrinsics of the pictures."""
    return CameraTruth(width=camera.width, height=camera.height, focal_px=camera.focal, centre_xy=camera.centre_xy)


def object_truths(scene: SimulatedScene, ids: IdMap) -> tuple[ObjectTruth, ...]:
    """The objects of a scene, of which `ids` is the map at the onset; parts belong to their whole."""
    holder = {plan.item: "left" if plan.side < 0 else "right" for plan in scene.layout.plans.values()}
    listed = []
    for index, item in enumerate(scene.layout.items):
        if item.part_of is not None:
            continue
        parts = [index] + [number for number, other in enumerate(scene.layout.items) if other.part_of == index]
        mask = ids == index + 1
        listed.append(
            ObjectTruth(
                id=index + 1,
                category=item.shape.name,
                material=item.shape.material,
                held_by=tuple(sorted(holder[part] for part in parts if part in holder)),
                area_px=int(mask.sum()),
                box_xyxy=box_of(mask),
            )
        )
    return tuple(listed)


def collision_truth(
    scene: SimulatedScene, hit: SimulatedCollision, shots: Shots, ids: IdMap, time_s: float
) -> CollisionTruth:
    """The truth about a collision in the state that `shots` shows, at `time_s` on the clock of the sound."""
    whole = labels.roots(scene)
    wholes = sorted({TABLE if index == TABLE else int(whole[index]) for index in hit.objects})
    point = to_camera(shots.data, np.array([hit.point]))
    hidden = [labels.occlusion(scene, shots.data, index, ids, shots.camera) for index in wholes if index != TABLE]
    x, y = project(shots.camera, point)[0].tolist()
    x_m, y_m, z_m = point[0].tolist()
    return CollisionTruth(
        ids=tuple(TABLE_ID if index == TABLE else index + 1 for index in wholes),
        materials=_materials_of(scene, hit),
        time_s=time_s,
        impulse_ns=hit.impulse,
        closing_speed_m_s=hit.closing_speed,
        contact_xy=(x, y),
        contact_xyz_m=(x_m, y_m, z_m),
        occlusion=max(hidden, default=0.0),
    )


def _materials_of(scene: SimulatedScene, hit: SimulatedCollision) -> tuple[str, ...]:
    """The distinct materials of a collision, sorted."""
    items = scene.layout.items
    return tuple(sorted({scene.table.material if i == TABLE else items[i].shape.material for i in hit.objects}))


def hand_truths(scene: SimulatedScene, geom_ids: npt.NDArray[np.int32]) -> tuple[HandTruth, ...]:
    """The hands that a map of geoms shows, left first, and what they hold."""
    return tuple(
        HandTruth(
            side=hand.side,
            box_xyxy=hand.box_xyxy,
            object_id=None if hand.object is None else hand.object + 1,
            object_box_xyxy=hand.object_box_xyxy,
        )
        for hand in labels.visible_hands(scene, geom_ids, min_pixels=_MIN_HAND_PX)
    )


def is_visible(scene: SimulatedScene, hit: SimulatedCollision, ids: IdMap) -> bool:
    """Whether each colliding object covers enough of the picture; the table need not."""
    whole = labels.roots(scene)
    return all((ids == whole[index] + 1).sum() >= MIN_AREA * ids.size for index in hit.objects if index != TABLE)
