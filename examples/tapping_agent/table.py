"""A table: samples of known material before the camera, look-alikes around a robot arm that is out of its view.

Here the look-alikes are bowls of different material; `jars` has closed jars.

Axes are those of the simulated world: x to the right, y away from the camera, z up, the table top at z = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """What stands where. Items of the scene: the look-alikes, then the stick, the samples, and loose lids."""

    scene: SimulatedScene
    kinds: tuple[str, ...]
    """What each look-alike is, from left to right: what the agent is to find out."""
    sought: tuple[str, ...]
    """The kinds that the agent is asked for."""
    samples: tuple[str, ...]
    """Material of each sample, from left to right."""
    listening: HeadCamera
    """The camera's pose over the samples."""
    watching: HeadCamera
    """A pose that shows the arm, for people."""

    @property
    def stick(self) -> int:
        """Number of the stick among the items."""
        return len(self.kinds)

    @property
    def lids(self) -> dict[int, int]:
        """Numbers of the loose lids among the items, and of the look-alikes that they lie on."""
        items = enumerate(self.scene.layout.items)
        return {index: item.part_of for index, item in items if item.part_of is not None}


def lay_bowls(seed: int) -> TappingTable:
    """Draws a table, its light, the order of its samples and look-alikes, and what they look like."""
    rng = np.random.default_rng([20, seed])
    materials, samples = shuffled(rng, MATERIALS), shuffled(rng, tuple(SAMPLES))
    return lay_table(rng, materials, tuple(SAMPLES), samples, _bowls(rng, materials))


def lay_table(
    rng: np.random.Generator,
    kinds: tuple[str, ...],
    sought: tuple[str, ...],
    samples: tuple[str, ...],
    look_alikes: Sequence[Item],
    lids: Sequence[Item] = (),
    *,
    in_rack: bool = False,
) -> TappingTable:
    """Puts look-alikes, samples and arm on a table under a light, which it draws.

    Args:
        rng: Source of chance.
        kinds: What each look-alike is, from left to right.
        sought: The kinds that the agent is asked for.
        samples: Material of each sample, from left to right.
        look_alikes: As many as kinds.
        lids: What lies loose on them.
        in_rack: Whether the look-alikes stand firmly: tall ones would fall over.
    """
    items = [*look_alikes, _stick(rng), *_samples(rng, samples), *lids]
    builder = Builder()
    table = table_top(rng)
    furnish(rng, builder, table, held_out=False)
    light(rng, builder)
    for index, item in enumerate(items):
        if index != len(kinds):
            is_free = item.part_of is not None or (index < len(kinds) and not in_rack)
            body = builder.body(f"item{index}", item.position, item.rotation, free=is_free)
            builder.item(body, index, item)
    wrist = add_arm(builder, BASE_XY)
    stick = items[len(kinds)]
    builder.item(wrist, len(kinds), stick, stick_offset(stick.shape), STICK_TURN)
    listening = _camera(rng, np.array([0.0, 0.05, 0.0]), rng.uniform(0.80, 1.00), rng.uniform(0.60, 0.70))
    head = builder.world.add_body(
        name="head", mocap=True, pos=list(listening.position), quat=quaternion(listening.rotation)
    )
    head.add_camera(name="head", fovy=float(np.rad2deg(listening.fov_y)))
    return TappingTable(
        scene=_scene(builder, table, items, len(kinds), listening),
        kinds=kinds,
        sought=sought,
        samples=samples,
        listening=listening,
        watching=_camera(rng, np.array([0.95, 0.2, 0.1]), 0.75, 0.80),
    )


def shuffled(rng: np.random.Generator, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in another order."""
    return tuple(names[index] for index in rng.permutation(len(names)))


def places_xy(num: int) -> list[Points]:
    """Where look-alikes stand: an arc around the arm, from left to right."""
    angles = np.linspace(-1.0, 1.0, num) * _SPREAD_RAD
    return [BASE_XY + _REACH_M * np.array([np.sin(angle), -np.cos(angle)]) for angle in angles]


def _bowls(rng: np.random.Generator, materials: tuple[str, ...]) -> list[Item]:
    """One bowl in several materials under one coat of paint."""
    proportions, paint = int(rng.integers(2**31)), ambiguous(rng)
    shapes = [build_shape(np.random.default_rng(proportions), LOOK_ALIKE, material) for material in materials]
    items = []
    for shape, (x, y) in zip(shapes, places_xy(len(shapes)), strict=True):
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
