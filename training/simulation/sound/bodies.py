"""What takes part in a collision, as sound knows it: household objects, tables, strikers, and parts of a hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.objects.materials import HAND_PARTS, MATERIALS, acoustics
from training.simulation.objects.shapes.shape import THICKNESS_M, Resonator, Shape

STRIKERS = (*HAND_PARTS, "stick", "tool")
"""What strikes without being one of the world's objects."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """What an object brings to a collision."""

    material: str
    """One of `MATERIALS`, or of `HAND_PARTS`."""
    mass: float
    surface: float
    resonator: Resonator | None
    """None for a part of a hand, which does not ring."""
    contents: float = 0.0
    """Kilograms of the mass that lie loose against the walls."""
    damping: float = 0.0
    """Extra decay by hand or table, nepers per second."""


def body_of(rng: np.random.Generator, shape: Shape, *, held: bool, standing: bool) -> Body:
    """The acoustic body of an object; a hand damps walls more than bars, which it holds at their end."""
    grip = rng.uniform(10, 45) * (0.4 if shape.resonator.kind == "bar" else 1.0) if held else 0.0
    table = rng.uniform(3, 18) if standing else 0.0
    return Body(
        material=shape.material,
        mass=shape.mass,
        surface=shape.surface,
        resonator=shape.resonator,
        contents=shape.contents,
        damping=grip + table,
    )


def table_body(rng: np.random.Generator, material: str) -> Body:
    """The acoustic body of a table top."""
    thickness = 0.0015 if material == "metal" else rng.uniform(0.02, 0.035)
    plate = Resonator(kind="panel", thickness=thickness, length=rng.uniform(0.9, 1.6), width=rng.uniform(0.55, 0.8))
    return Body(material=material, mass=rng.uniform(8, 25), surface=0.4, resonator=plate, damping=rng.uniform(15, 40))


def striker_body(rng: np.random.Generator, name: str) -> Body:
    """A part of a hand, a wooden stick or a metal tool such as a hammer.

    Raises:
        ValueError: if `name` is not one of `STRIKERS`.
    """
    if name not in STRIKERS:
        raise ValueError(f"striker must be one of {', '.join(STRIKERS)}, got {name!r}")
    if name in HAND_PARTS:
        return Body(material=name, mass=rng.uniform(0.03, 0.3), surface=0.0005, resonator=None)
    material = "wood" if name == "stick" else "metal"
    length, thickness = rng.uniform(0.12, 0.5), rng.uniform(0.005, 0.02)
    bar = Resonator(kind="bar", thickness=thickness, length=length, width=thickness)
    head = 0.0 if name == "stick" else rng.uniform(0.0, 0.4)
    mass = acoustics(material).density * length * thickness**2 + head
    return Body(
        material=material, mass=mass, surface=3 * length * thickness, resonator=bar, damping=rng.uniform(4.0, 40.0)
    )


def large_body(rng: np.random.Generator) -> Body:
    """Something that stands around: a board, a door, a sheet, a drum, a box or a bag of any material and size."""
    material = str(rng.choice(list(MATERIALS)))
    kind = str(rng.choice(["panel", "plate", "shell"]))
    length = float(np.exp(rng.uniform(np.log(0.08), np.log(1.0))))
    width = length * rng.uniform(0.3, 1.0)
    thickness = rng.uniform(*THICKNESS_M[material]) * np.exp(rng.uniform(0.0, np.log(4.0)))
    surface = length * width if kind == "panel" else np.pi * length * (length if kind == "plate" else 2 * width)
    shape = Resonator(kind=kind, thickness=thickness, length=length, width=width)
    mass = max(acoustics(material).density * surface * thickness, 0.02)
    return Body(material=material, mass=mass, surface=surface, resonator=shape, damping=10 ** rng.uniform(0.5, 1.8))
