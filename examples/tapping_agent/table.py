"""The table: samples of known material before the camera, look-alikes around a robot arm that is out of its view.

Axes are those of the simulated world: x to the right, y away from the camera, z up, the table top at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from examples.tapping_agent.arm import STICK_TURN, add_arm, stick_offset
from training.simulation.objects.appearance import Table, ambiguous, finish_of, handle_finish, table_top
from training.simulation.objects.catalogue import build_shape
from training.simulation.objects.meshes import Points
from training.simulation.scene.mujoco_model import Builder, quaternion
from training.simulation.scene.room import furnish, light
from training.simulation.scene.scene import HeadCamera, SimulatedScene
from training.simulation.scene.table_layout import TABLE, HandPlan, Item, TableLayout

SAMPLES = {"metal": "pot", "wood": "board"}
"""What each known material is shown as. Chosen, with the places, on tables that the published figures do not use."""
MATERIALS = ("metal", "wood", "ceramic", "plastic")
"""Materials of the look-alikes."""
LOOK_ALIKE = "bowl"
BASE_XY = np.array([0.95, 0.42])
"""Where the arm stands."""
_REACH_M, _SPREAD_RAD = 0.33, 0.93
_SAMPLE_PLACES_XY = np.array([[-0.16, -0.02], [0.16, -0.02]])
"""Side by side and near the camera, where hands are at work in what `micro` learned from: it hears little farther back."""
_ARM_SIDE = 1
"""To the simulation the arm counts as a right hand."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TappingTable:
    """What stands where. Items of the scene: the look-alikes, then the stick, then the samples."""

    scene: SimulatedScene
    materials: tuple[str, ...]
    """What each look-alike is made of, from left to right: what the agent is to find out."""
    samples: tuple[str, ...]
    """Material of each sample, from left to right."""
    listening: HeadCamera
    """The camera's pose over the samples."""
    watching: HeadCamera
    """A pose that shows the arm, for people."""

    @property
    def stick(self) -> int:
        """Number of the stick among the items."""
        return len(self.materials)


def lay_table(seed: int) -> TappingTable:
    """Draws a table, its light, the order of its samples and look-alikes, and what they look like."""
    rng = np.random.default_rng([20, seed])
    materials, samples = _shuffled(rng, MATERIALS), _shuffled(rng, tuple(SAMPLES))
    items = [*_look_alikes(rng, materials), _stick(rng), *_samples(rng, samples)]
    builder = Builder()
    table = table_top(rng)
    furnish(rng, builder, table, held_out=False)
    light(rng, builder)
    for index, item in enumerate(items):
        if index != len(materials):
            body = builder.body(f"item{index}", item.position, item.rotation, free=index < len(materials))
            builder.item(body, index, item)
    wrist = add_arm(builder, BASE_XY)
    stick = items[len(materials)]
    builder.item(wrist, len(materials), stick, stick_offset(stick.shape), STICK_TURN)
    listening = _camera(rng, np.array([0.0, 0.05, 0.0]), rng.uniform(0.80, 1.00), rng.uniform(0.60, 0.70))
    head = builder.world.add_body(
        name="head", mocap=True, pos=list(listening.position), quat=quaternion(listening.rotation)
    )
    head.add_camera(name="head", fovy=float(np.rad2deg(listening.fov_y)))
    return TappingTable(
        scene=_scene(builder, table, items, len(materials), listening),
        materials=materials,
        samples=samples,
        listening=listening,
        watching=_camera(rng, np.array([0.95, 0.2, 0.1]), 0.75, 0.80),
    )


def _shuffled(rng: np.random.Generator, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names[index] for index in rng.permutation(len(names)))


def _look_alikes(rng: np.random.Generator, materials: tuple[str, ...]) -> list[Item]:
    """One bowl in several materials under one coat of paint, in an arc around the arm."""
    proportions, paint = int(rng.integers(2**31)), ambiguous(rng)
    shapes = [build_shape(np.random.default_rng(proportions), LOOK_ALIKE, material) for material in materials]
    angles = np.linspace(-1.0, 1.0, len(materials)) * _SPREAD_RAD
    items = []
    for shape, angle in zip(shapes, angles, strict=True):
        x, y = BASE_XY + _REACH_M * np.array([np.sin(angle), -np.cos(angle)])
        # Walls differ in thickness by material; what is seen is the same.
        seen_alike = replace(shape, body=shapes[0].body)
        items.append(Item(
            shape=seen_alike, finish=paint, handle=paint, position=np.array([x, y, 0.0005]),
            rotation=Rotation.identity(),
        ))  # fmt: skip
    return items


def _stick(rng: np.random.Generator) -> Item:
    shape = build_shape(rng, "spoon", "wood")
    finish = finish_of(rng, "wood", "spoon", ambiguity=0.0)
    return Item(shape=shape, finish=finish, handle=finish, position=np.zeros(3), rotation=Rotation.identity())


def _samples(rng: np.random.Generator, materials: tuple[str, ...]) -> list[Item]:
    """A row of samples."""
    items = []
    for place, material in enumerate(materials):
        shape = build_shape(rng, SAMPLES[material], material)
        finish = finish_of(rng, material, shape.name, ambiguity=0.0)
        x, y = _SAMPLE_PLACES_XY[place] + rng.normal(0.0, 0.008, 2)
        items.append(Item(
            shape=shape, finish=finish, handle=handle_finish(rng, finish), position=np.array([x, y, 0.0005]),
            rotation=Rotation.from_euler("z", rng.uniform(-0.2, 0.2)),
        ))  # fmt: skip
    return items


def _camera(rng: np.random.Generator, look_at: Points, down_rad: float, distance_m: float) -> HeadCamera:
    """A level camera that looks at a point from the near side of the table."""
    back = np.array([rng.normal(0.0, 0.03), -np.cos(down_rad), np.sin(down_rad)])
    back /= np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    rotation = Rotation.from_matrix(np.stack([right, np.cross(back, right), back], 1))
    return HeadCamera(position=look_at + back * distance_m, rotation=rotation, fov_y=float(np.deg2rad(64.0)))


def _scene(builder: Builder, table: Table, items: list[Item], stick: int, camera: HeadCamera) -> SimulatedScene:
    model: Any = builder.spec.compile()
    names = [model.geom(index).name for index in range(model.ngeom)]
    arm = HandPlan(
        side=_ARM_SIDE, act="hit", item=stick, target=None, pose="", grip_radius=0.0, rotation=Rotation.identity(),
        touch=np.zeros(3), approach=np.zeros(3),
    )  # fmt: skip
    return SimulatedScene(
        layout=TableLayout(items=items, plans={_ARM_SIDE: arm}),
        table=table,
        camera=camera,
        arms={},
        model=model,
        object_of_geom=np.array([_object_of(name) for name in names]),
        hand_of_geom=np.zeros(len(names), np.int64),
        is_hand_proper=np.zeros(len(names), np.bool_),
    )


def _object_of(name: str) -> int:
    if name.startswith("item"):
        return int(name[4 : name.index(".")])
    return TABLE if name.startswith("table") else -2
