"""A rack of closed metal jars that look alike: one is full, the lid of another lies loose, two are empty and shut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from examples.tapping_agent.table import SAMPLES, TappingTable, lay_table, places_xy, shuffled
from training.simulation.objects.appearance import SurfaceFinish, ambiguous
from training.simulation.objects.catalogue import build_shape
from training.simulation.objects.meshes import joined
from training.simulation.objects.shapes.shape import Shape
from training.simulation.objects.shapes.vessels import lid
from training.simulation.scene.table_layout import Item

KINDS = ("full", "loose", "shut", "shut")
SOUGHT = ("full", "loose")
_PLAY_M = 0.003
"""Between the mouth of a jar and the skirt of its lid."""
_RICE_KG_M3 = 800.0
_FULL = (0.6, 0.95)
"""How far a full jar is full."""


def lay_jars(seed: int) -> TappingTable:
    """Draws a table, its light, the order of its samples and jars, and what they look like."""
    rng = np.random.default_rng([24, seed])
    kinds, samples = shuffled(rng, KINDS), shuffled(rng, tuple(SAMPLES))
    jar = build_shape(rng, "jar", "metal")
    mouth = jar.strike_points[1][0] / 0.97
    cover = lid(rng, "metal", 40, radius=(mouth + _PLAY_M) / 0.9)
    lid_z = jar.height - (cover.colliders[0].position[2] - cover.colliders[0].size[1])
    share, paint = rng.uniform(*_FULL), ambiguous(rng)
    rice_kg = share * _RICE_KG_M3 * np.pi * jar.resonator.length**2 * jar.height
    shut = _closed(jar, cover, lid_z)
    shapes = {
        "shut": shut,
        "full": replace(shut, mass=shut.mass + rice_kg, contents=rice_kg),
        "loose": replace(jar, radius=shut.radius, height=shut.height),
    }
    jars = [_item(shapes[kind], paint, (*xy, 0.0005)) for kind, xy in zip(kinds, places_xy(len(kinds)), strict=True)]
    loose = kinds.index("loose")
    lying = _item(cover, paint, (*jars[loose].position[:2], lid_z + 0.001))
    lying.part_of = loose
    return lay_table(rng, kinds, SOUGHT, samples, jars, [lying], in_rack=True)


def _closed(jar: Shape, cover: Shape, lid_z: float) -> Shape:
    """A jar and its lid as one body, which rings like the jar."""
    lift = (0.0, 0.0, lid_z)
    assert cover.handle is not None
    raised = [replace(part, position=(*part.position[:2], part.position[2] + lid_z)) for part in cover.colliders]
    return replace(
        jar,
        body=joined(jar.body, cover.body.moved(lift)),
        handle=cover.handle.moved(lift),
        colliders=(*jar.colliders, *raised),
        radius=max(jar.radius, cover.radius),
        height=lid_z + cover.height,
        mass=jar.mass + cover.mass,
    )


def _item(shape: Shape, paint: SurfaceFinish, position: tuple[float, float, float]) -> Item:
    return Item(shape=shape, finish=paint, handle=paint, position=np.array(position), rotation=Rotation.identity())
