"""What every household object has: meshes to look at, primitives to collide, a grip, and a resonator.

An object's own frame has its origin where it stands on the table, z up. Tools lie along x, the handle at negative x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.simulation.objects.materials import MATERIALS
from training.simulation.objects.meshes import Mesh

Vector = tuple[float, float, float]

THICKNESS_M = {
    "metal": (0.0008, 0.002),
    "ceramic": (0.004, 0.006),
    "glass": (0.002, 0.004),
    "wood": (0.006, 0.009),
    "plastic": (0.0015, 0.003),
    "paper": (0.0006, 0.0015),
    "cloth": (0.003, 0.006),
}
"""Usual wall thickness by material."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collider:
    """A convex primitive that the physics feels."""

    kind: str
    """MuJoCo's name: box, cylinder, capsule or ellipsoid."""
    size: tuple[float, ...]
    """Half extents, or radius and half length."""
    position: Vector
    euler_zy: tuple[float, float] = (0.0, 0.0)
    """Rotation about z, then about the rotated y, radians."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grip:
    """How a hand holds the object."""

    kind: str
    """``wrap``: a fist around an axis; ``pinch``: thumb above and fingers below an edge; ``none``: not held."""
    point: Vector
    axis: Vector = (0.0, 0.0, 1.0)
    """Direction from the little finger to the thumb (wrap), or upward through the edge (pinch)."""
    radius: float = 0.012
    """Radius of what is gripped, or half the thickness of the edge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resonator:
    """The vibrating body behind the object's sound; `impact_sound` turns it into modes."""

    kind: str
    """bar, shell, plate or panel."""
    thickness: float
    """Thickness of the vibrating wall, or height of the bar."""
    length: float
    """Length of a bar, radius of a shell or plate, longer side of a panel."""
    width: float
    """Width of a bar, height of a shell, shorter side of a panel; unused for a plate."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shape:
    """A household object without its finish."""

    name: str
    """Class, for instance ``mug``."""
    material: str
    """Material of the body, which decides the sound."""
    body: Mesh
    handle: Mesh | None = None
    """A part with a finish of its own, such as the grip of a knife."""
    colliders: tuple[Collider, ...]
    grip: Grip
    strike_points: tuple[Vector, ...]
    """Points of the object that may hit something when a hand moves it."""
    radius: float
    """Radius of the circle around the origin that the object covers on the table."""
    height: float
    mass: float
    """Kilograms, with contents."""
    contents: float = 0.0
    """Kilograms of it that lie loose against the walls, such as rice: they make the sound lower and shorter."""
    resonator: Resonator
    surface: float
    """Radiating surface, m^2."""


def ring_of_boxes(
    bottom: float, top: float, z_low: float, z_high: float, wall: float, count: int = 10
) -> list[Collider]:
    """The wall of a vessel as a ring of boxes, from radius `bottom` to radius `top`."""
    radius, height = (bottom + top) / 2, z_high - z_low
    tilt = float(np.arctan2(top - bottom, height))
    half = (0.6 * max(wall, 0.003), radius * np.pi / count * 1.05, np.hypot(height, top - bottom) / 2)
    return [
        Collider(
            kind="box",
            size=half,
            position=(radius * np.cos(angle), radius * np.sin(angle), (z_low + z_high) / 2),
            euler_zy=(float(angle), tilt),
        )
        for angle in 2 * np.pi * np.arange(count) / count
    ]


def along_x(radius: float, x_low: float, x_high: float, z: float) -> Collider:
    """A capsule along the x axis."""
    half = max((x_high - x_low) / 2 - radius, 1e-3)
    return Collider(
        kind="capsule", size=(radius, half), position=((x_low + x_high) / 2, 0.0, z), euler_zy=(0.0, np.pi / 2)
    )


def mass_of(material: str, surface: float, thickness: float, contents: float = 0.0) -> float:
    """Mass of a wall of `surface` m^2 and `thickness` metres with `contents` kilograms in it, within 10 g to 2.5 kg."""
    return float(np.clip(MATERIALS[material].density * surface * thickness + contents, 0.010, 2.5))


def pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    """One of `choices`, as a plain string."""
    return str(choices[int(rng.integers(len(choices)))])
