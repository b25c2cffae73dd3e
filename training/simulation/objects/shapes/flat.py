"""Flat and folded objects: plates, boards, trays, packets, rolls and kitchen linen."""

from __future__ import annotations

import numpy as np

from training.simulation.objects.meshes import box, extruded, joined, lathe
from training.simulation.objects.shapes.shape import (
    THICKNESS_M,
    Collider,
    Grip,
    Resonator,
    Shape,
    mass_of,
    ring_of_boxes,
)


def plate(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A dinner or side plate, held at its rim."""
    radius, height = rng.uniform(0.08, 0.125), rng.uniform(0.014, 0.024)
    wall = rng.uniform(*THICKNESS_M[material])
    shown = max(wall, 0.003)
    outside = [(radius * 0.55, 0.0), (radius * 0.62, 0.002), (radius * 0.72, height * 0.4), (radius, height)]
    inside = [
        (radius - 0.001, height + shown * 0.6),
        (radius * 0.72, height * 0.4 + shown),
        (radius * 0.62, shown + 0.001),
    ]
    surface = np.pi * radius**2
    return Shape(
        name="plate",
        material=material,
        body=lathe([(0.0, 0.0), *outside, *inside, (0.0, shown)], segments),
        colliders=(
            Collider(kind="cylinder", size=(radius * 0.62, 0.002), position=(0.0, 0.0, 0.002)),
            *ring_of_boxes(radius * 0.62, radius, 0.005, height, wall, 12),
        ),
        grip=Grip(kind="pinch", point=(-radius * 0.93, 0.0, height), radius=0.004),
        strike_points=((radius, 0.0, height * 0.9), (radius * 0.5, 0.0, 0.0), (0.0, 0.0, 0.0)),
        radius=radius,
        height=height + shown,
        mass=mass_of(material, surface * 1.1, wall),
        resonator=Resonator(kind="plate", thickness=wall, length=radius, width=radius),
        surface=surface,
    )


def _slab(rng: np.random.Generator, material: str, name: str, half: tuple[float, float, float], hold: bool) -> Shape:
    a, b, c = half
    surface = 4 * a * b
    return Shape(
        name=name,
        material=material,
        body=box(half, bevel=min(0.0025, c * 0.4)).moved((0.0, 0.0, c)),
        colliders=(Collider(kind="box", size=half, position=(0.0, 0.0, c)),),
        grip=Grip(kind="pinch" if hold else "none", point=(-a * 0.93, 0.0, c), radius=c),
        strike_points=((a * 0.97, 0.0, 0.0), (a * 0.5, 0.0, 0.0)),
        radius=float(np.hypot(a, b)) * 0.95,
        height=2 * c,
        mass=mass_of(material, surface, 2 * c * (0.15 if material in ("metal", "ceramic") else 1.0)),
        resonator=Resonator(kind="panel", thickness=2 * c, length=2 * a, width=2 * b),
        surface=surface,
    )


def board(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A cutting board."""
    thin = {"glass": (0.003, 0.004), "plastic": (0.004, 0.006)}.get(material, (0.007, 0.011))
    return _slab(rng, material, "board", (rng.uniform(0.12, 0.17), rng.uniform(0.08, 0.11), rng.uniform(*thin)), True)


def coaster(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A trivet or coaster."""
    side = rng.uniform(0.05, 0.085)
    return _slab(rng, material, "coaster", (side, side, rng.uniform(0.003, 0.005)), True)


def tray(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A baking tray or food container with a rim."""
    a, b, height = rng.uniform(0.10, 0.16), rng.uniform(0.07, 0.10), rng.uniform(0.018, 0.04)
    wall = rng.uniform(*THICKNESS_M[material])
    shown = max(wall, 0.002)
    sides = []
    colliders = [Collider(kind="box", size=(a, b, shown), position=(0.0, 0.0, shown))]
    for half, position in (
        ((shown, b, height / 2), (a, 0.0)),
        ((shown, b, height / 2), (-a, 0.0)),
        ((a, shown, height / 2), (0.0, b)),
        ((a, shown, height / 2), (0.0, -b)),
    ):
        sides.append(box(half).moved((*position, height / 2)))
        colliders.append(Collider(kind="box", size=half, position=(*position, height / 2)))
    surface = 4 * a * b + 4 * (a + b) * height
    return Shape(
        name="tray",
        material=material,
        body=joined(box((a, b, shown)).moved((0.0, 0.0, shown)), *sides),
        colliders=tuple(colliders),
        grip=Grip(kind="pinch", point=(-a, 0.0, height * 0.95), radius=0.004),
        strike_points=((a, 0.0, height * 0.9), (a * 0.9, 0.0, 0.0)),
        radius=float(np.hypot(a, b)) * 0.95,
        height=height,
        mass=mass_of(material, surface, wall),
        resonator=Resonator(kind="panel", thickness=wall, length=2 * a, width=2 * b),
        surface=surface,
    )


def packet(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A carton of food, a tin box or a storage box."""
    half = (rng.uniform(0.03, 0.06), rng.uniform(0.018, 0.035), rng.uniform(0.04, 0.095))
    wall = rng.uniform(*THICKNESS_M[material])
    a, b, c = half
    surface = 8 * (a * b + b * c + a * c)
    return Shape(
        name="packet",
        material=material,
        body=box(half, bevel=0.001).moved((0.0, 0.0, c)),
        colliders=(Collider(kind="box", size=half, position=(0.0, 0.0, c)),),
        grip=Grip(kind="wrap", point=(0.0, 0.0, c * 1.1), radius=min(b * 1.15, 0.045)),
        strike_points=((a, 0.0, 0.0), (a, b, 0.0), (0.0, 0.0, 0.0)),
        radius=float(np.hypot(a, b)),
        height=2 * c,
        mass=mass_of(material, surface, wall, rng.uniform(0.0, 0.3)),
        resonator=Resonator(kind="panel", thickness=wall, length=2 * max(a, c), width=2 * min(a, c)),
        surface=surface,
    )


def roll(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A kitchen roll standing on its end."""
    radius, height, core = rng.uniform(0.045, 0.058), rng.uniform(0.18, 0.23), 0.02
    surface = 2 * np.pi * radius * height
    return Shape(
        name="roll",
        material=material,
        body=lathe([(core, 0.0), (radius, 0.0), (radius, height), (core, height), (core, 0.0)], max(segments, 24)),
        colliders=(Collider(kind="cylinder", size=(radius, height / 2), position=(0.0, 0.0, height / 2)),),
        grip=Grip(kind="wrap", point=(0.0, 0.0, height * 0.5), radius=0.045),
        strike_points=((0.0, 0.0, 0.0), (radius, 0.0, 0.01)),
        radius=radius,
        height=height,
        mass=0.15,
        resonator=Resonator(kind="shell", thickness=0.002, length=radius, width=height),
        surface=surface,
    )


def towel(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A folded tea towel or pot holder with soft, uneven layers."""
    a, b = rng.uniform(0.07, 0.12), rng.uniform(0.06, 0.09)
    layers = int(rng.integers(2, 5))
    sheets, wave = [], rng.uniform(0.0, 2 * np.pi, 4)
    for layer in range(layers):
        count, corner = 32, 5.0
        angle = np.linspace(0.0, 2 * np.pi, count, endpoint=False)
        square = (np.abs(np.cos(angle)) ** corner + np.abs(np.sin(angle)) ** corner) ** (-1 / corner)
        grow = 1.0 - 0.03 * layer + 0.02 * np.sin(3 * angle + wave[layer % 4])
        outline = np.stack([a * grow * square * np.cos(angle), b * grow * square * np.sin(angle)], 1)

        def height(xy: np.ndarray, level: float = 0.004 + 0.006 * layer) -> np.ndarray:
            ripple = 0.0025 * np.sin(40 * xy[:, 0] + wave[0]) * np.cos(28 * xy[:, 1] + wave[1])
            edge = np.maximum(np.abs(xy[:, 0]) / a, np.abs(xy[:, 1]) / b)
            return np.maximum(level * (1.0 - 0.35 * edge**4) + ripple * level / 0.012, 0.002)

        sheets.append(extruded(outline, height, 0.005))
    top = 0.006 * layers + 0.002
    return Shape(
        name="towel",
        material=material,
        body=joined(*sheets),
        colliders=(Collider(kind="box", size=(a * 0.96, b * 0.96, top / 2), position=(0.0, 0.0, top / 2)),),
        grip=Grip(kind="none", point=(-a, 0.0, top / 2)),
        strike_points=((a, 0.0, 0.0),),
        radius=float(np.hypot(a, b)) * 0.92,
        height=top,
        mass=0.09,
        resonator=Resonator(kind="panel", thickness=top, length=2 * a, width=2 * b),
        surface=4 * a * b,
    )
