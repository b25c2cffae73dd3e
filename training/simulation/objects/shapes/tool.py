"""What all tools with a handle have in common."""

from __future__ import annotations

import numpy as np

from training.simulation.objects.meshes import Mesh, tube
from training.simulation.objects.shapes.shape import Collider, Grip, Resonator, Shape


def stick_mesh(x_low: float, x_high: float, z: float, radii: tuple[float, float], bow: float = 0.0) -> Mesh:
    """A handle from `x_low` to `x_high` of half height and half width `radii`, bent upward by `bow`."""
    x = np.linspace(x_low, x_high, 12)
    share = (x - x_low) / (x_high - x_low)
    path = np.stack([x, 0 * x, z + bow * np.sin(np.pi * share)], 1)
    height, width = radii
    swell = 1.0 - 0.35 * share[:, None]
    return tube(path, np.array([[height, width]]) * swell, 12)


def tool(
    name: str,
    material: str,
    *,
    length: float,
    stick: float,
    body: Mesh,
    handle: Mesh | None,
    colliders: tuple[Collider, ...],
    tip: tuple[tuple[float, float, float], ...],
    mass: float,
    width: float,
    height: float,
    surface: float,
) -> Shape:
    """A tool that a fist holds at a third of its length; `stick` is half the height of its handle."""
    return Shape(
        name=name,
        material=material,
        body=body,
        handle=handle,
        colliders=colliders,
        grip=Grip(kind="wrap", point=(-length * 0.33, 0.0, stick), axis=(1.0, 0.0, 0.0), radius=max(stick, 0.008)),
        strike_points=tip,
        radius=length / 2,
        height=height,
        mass=mass,
        resonator=Resonator(kind="bar", thickness=max(2 * stick * 0.6, 0.002), length=length, width=width),
        surface=surface,
    )
