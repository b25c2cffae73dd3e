"""What truth.json says about objects, collisions and hands; docs/world.md lists the keys."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from training.simulation.dataset.storage import TABLE_ID
from training.simulation.physics import variants
from training.simulation.physics.contacts import Collision
from training.simulation.rendering import labels
from training.simulation.rendering.shots import Shots
from training.simulation.scenario.plan import TABLE
from training.simulation.scene.scene import Scene


def camera_facts(camera: labels.Intrinsics) -> dict[str, Any]:
    """The intrinsics, pixels."""
    return {
        "width": camera.width,
        "height": camera.height,
        "focal_px": camera.focal,
        "centre_xy": camera.centre_xy,
    }


def object_facts(scene: Scene, ids: labels.IdMap) -> list[dict[str, Any]]:
    """The objects of a scene as they stand in truth.json; `ids` is the map of the middle frame."""
    holder = {plan.item: "left" if plan.side < 0 else "right" for plan in scene.layout.plans.values()}
    listed = []
    for index, item in enumerate(scene.layout.items):
        if item.part_of is not None:
            continue
        parts = [index] + [number for number, other in enumerate(scene.layout.items) if other.part_of == index]
        mask = ids == index + 1
        listed.append(
            {
                "id": index + 1,
                "class": item.shape.name,
                "material": item.shape.material,
                "held_by": sorted(holder[part] for part in parts if part in holder),
                "area_px": int(mask.sum()),
                "box_xyxy": labels.box_of(mask),
            }
        )
    return listed


def collision_facts(scene: Scene, hit: Collision, shots: Shots, ids: labels.IdMap, time_s: float) -> dict[str, Any]:
    """The truth about a collision in the state that `shots` shows, at `time_s` on the clock of the sound."""
    whole = labels.roots(scene)
    wholes = sorted({TABLE if index == TABLE else int(whole[index]) for index in hit.objects})
    point = labels.to_camera(shots.data, np.array([hit.point]))
    hidden = [labels.occlusion(scene, shots.data, index, ids, shots.camera) for index in wholes if index != TABLE]
    return {
        "ids": [TABLE_ID if index == TABLE else index + 1 for index in wholes],
        "materials": list(variants.materials_of(scene, hit)),
        "time_s": time_s,
        "impulse_ns": hit.impulse,
        "closing_speed_m_s": hit.closing_speed,
        "contact_xy": labels.project(shots.camera, point)[0].tolist(),
        "contact_xyz_m": point[0].tolist(),
        "occlusion": max(hidden, default=0.0),
    }


def hand_facts(hand: labels.HandTruth) -> dict[str, Any]:
    """One hand as it stands in truth.json; the object by its id."""
    facts = dataclasses.asdict(hand)
    facts["object"] = None if hand.object is None else hand.object + 1
    return facts
