"""The room around the table: worktop, wall, floor, hob and light."""

from __future__ import annotations

import mujoco
import numpy as np

from training.simulation.objects.appearance import SurfaceFinish, Table, wall_finish
from training.simulation.objects.meshes import box, tube
from training.simulation.scene.mujoco_model import HIDDEN, Builder


def furnish(rng: np.random.Generator, builder: Builder, table: Table, *, held_out: bool) -> None:
    """The table top, a wall with what hangs there, and the floor."""
    top = box((1.3, 0.8, 0.02))
    builder.show(builder.world, "table.look", top, builder.material(table.finish), pos=[0.0, 0.3, -0.02])
    builder.world.add_geom(
        name="table.collider", type=mujoco.mjtGeom.mjGEOM_BOX, size=[1.3, 0.8, 0.05], pos=[0.0, 0.3, -0.05],
        group=HIDDEN, friction=[0.6, 0.005, 0.0001],
    )  # fmt: skip
    wall_y = float(rng.uniform(0.6, 0.85))
    builder.show(
        builder.world,
        "wall",
        box((2.5, 0.02, 1.2)),
        builder.material(wall_finish(rng, held_out)),
        pos=[0.0, wall_y, 1.1],
    )
    floor = SurfaceFinish(rgba=(0.5, 0.45, 0.4, 1.0), roughness=0.7, picture=("planks", 1), repeat=3.0)
    builder.show(builder.world, "floor", box((3.0, 3.0, 0.02)), builder.material(floor), pos=[0.0, 0.0, -0.9])
    if rng.random() < 0.5:
        _hob(builder, float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.62, 0.75)))


def _hob(builder: Builder, x: float) -> None:
    """A glass ceramic hob let into the table top."""
    glass = SurfaceFinish(rgba=(0.045, 0.045, 0.05, 1.0), roughness=0.12)
    builder.show(builder.world, "hob", box((0.28, 0.24, 0.002), 0.001), builder.material(glass), pos=[x, 0.25, 0.001])
    ring = builder.material(SurfaceFinish(rgba=(0.32, 0.32, 0.33, 1.0), roughness=0.4))
    angle = np.linspace(0.0, 2 * np.pi, 41)
    for number, (dx, dy, radius) in enumerate(
        ((-0.13, -0.1, 0.085), (0.13, 0.1, 0.085), (-0.13, 0.12, 0.065), (0.13, -0.11, 0.065))
    ):
        path = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], 1)
        builder.show(builder.world, f"ring{number}", tube(path, 0.001, 6), ring, pos=[x + dx, 0.25 + dy, 0.003])


def light(rng: np.random.Generator, builder: Builder) -> None:
    """A lamp or window that casts shadows, a weaker second light, and the light of the room."""
    warm = float(rng.uniform(-1.0, 1.0))
    tint = np.array([1.0 + 0.05 * warm, 1.0, 1.0 - 0.08 * warm])
    for number in range(int(rng.integers(1, 3))):
        spot = np.array([rng.uniform(-0.9, 0.9), rng.uniform(-0.1, 0.5), rng.uniform(1.1, 1.7)])
        towards = np.array([0.0, 0.1, 0.0]) - spot
        builder.world.add_light(
            pos=list(spot),
            dir=list(towards / np.linalg.norm(towards)),
            diffuse=list(np.clip(tint * (1.0 if number == 0 else 0.5), 0, 1.2)),
            castshadow=number == 0,
            type=mujoco.mjtLightType.mjLIGHT_SPOT,
            cutoff=80.0,
            bulbradius=float(rng.uniform(0.03, 0.1)),
        )
    # As bright as the 8 bits of linear light allow; the camera sets the exposure.
    numbers = {
        "fallback.environment_light_intensity": rng.uniform(14000, 26000),
        "fallback.scene_light_intensity": rng.uniform(80000, 170000),
    }
    for name, value in numbers.items():
        builder.spec.add_numeric(name=f"filament.{name}", data=[float(value)])
