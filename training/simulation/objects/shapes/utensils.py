"""Long tools held at one end: spatulas, ladles, pans and rolling pins. Their working end is at positive x."""

from __future__ import annotations

import numpy as np

from training.simulation.objects.meshes import extruded, joined, lathe, tube
from training.simulation.objects.shapes.shape import (
    THICKNESS_M,
    Collider,
    Grip,
    Resonator,
    Shape,
    along_x,
    mass_of,
    ring_of_boxes,
)
from training.simulation.objects.shapes.tool import stick_mesh, tool


def spatula(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A turner with a flat blade."""
    length, width = rng.uniform(0.25, 0.32), rng.uniform(0.03, 0.042)
    stick = 0.004 if material == "metal" else rng.uniform(0.005, 0.007)
    x0 = length / 2 - 0.09
    outline = [
        (x0, -width * 0.55),
        (length / 2 - 0.006, -width),
        (length / 2, -width + 0.008),
        (length / 2, width - 0.008),
        (length / 2 - 0.006, width),
        (x0, width * 0.55),
    ]
    blade = extruded(outline, lambda xy: 0.003 + 0.14 * np.clip(length / 2 - 0.05 - xy[:, 0], 0, 1) ** 1.1, 0.0025)
    rod = stick_mesh(-length / 2, x0 + 0.02, stick + 0.006, (stick, stick * 1.7), 0.006)
    colliders = (
        along_x(stick, -length / 2, x0, stick + 0.005),
        Collider(kind="box", size=(0.045, width * 0.9, 0.002), position=(x0 + 0.045, 0.0, 0.003)),
    )
    surface = 0.18 * width * 2 + length * 4 * stick
    return tool(
        "spatula",
        material,
        length=length,
        stick=stick + 0.004,
        body=joined(rod, blade),
        handle=None,
        colliders=colliders,
        tip=((length / 2, 0.0, 0.002), (length / 2 - 0.01, width * 0.8, 0.001)),
        mass=mass_of(material, surface, 0.0025),
        width=width,
        height=0.02,
        surface=surface,
    )


def ladle(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A ladle whose cup stands in line with its stick."""
    length, radius = rng.uniform(0.26, 0.32), rng.uniform(0.034, 0.043)
    stick = 0.004 if material == "metal" else 0.006
    wall = max(rng.uniform(*THICKNESS_M[material]), 0.0018)
    angle = np.linspace(0.0, np.pi / 2 * 0.95, 9)
    depth = radius * 0.75
    outside = [(radius * np.sin(a), depth * (1 - np.cos(a))) for a in angle]
    inside = [(max(r - wall, 0.0), z + wall * 0.6) for r, z in outside[::-1]]
    centre = length / 2 - radius
    cup = lathe([*outside, *inside], segments).moved((centre, 0.0, 0.0))
    x = np.linspace(-length / 2, centre - radius * 0.93, 12)
    rod = tube(
        np.stack([x, 0 * x, depth * 0.95 + 0.02 * ((centre - radius - x) / length) ** 2], 1),
        [[stick * 0.7, stick * 1.6]] * 12,
    )
    colliders = (
        along_x(stick, -length / 2, centre - radius * 0.9, depth * 0.95),
        *(
            Collider(
                kind=c.kind,
                size=c.size,
                position=(c.position[0] + centre, c.position[1], c.position[2]),
                euler_zy=c.euler_zy,
            )
            for c in ring_of_boxes(radius * 0.6, radius, 0.0, depth, wall, 8)
        ),
    )
    surface = 2 * np.pi * radius * depth + length * 4 * stick
    return tool(
        "ladle",
        material,
        length=length,
        stick=depth,
        body=joined(rod, cup),
        handle=None,
        colliders=colliders,
        tip=((centre, 0.0, 0.0), (length / 2, 0.0, depth * 0.9)),
        mass=mass_of(material, surface, 0.0018),
        width=radius,
        height=depth + 0.02,
        surface=surface,
    )


def rolling_pin(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A rolling pin with two handles."""
    length, radius = rng.uniform(0.30, 0.38), rng.uniform(0.021, 0.027)
    x = length * np.array([-0.5, -0.495, -0.34, -0.33, -0.325, 0.325, 0.33, 0.34, 0.495, 0.5])
    radii = radius * np.array([0.35, 0.5, 0.55, 0.45, 1.0, 1.0, 0.45, 0.55, 0.5, 0.35])
    body = tube(np.stack([x, 0 * x, 0 * x + radius], 1), radii, max(segments // 2, 8))
    solid = 0.012 if material in ("wood", "plastic") else 0.002
    surface = 2 * np.pi * radius * length * 0.65
    return tool(
        "rolling_pin",
        material,
        length=length,
        stick=radius,
        body=body,
        handle=None,
        colliders=(
            along_x(radius, -length * 0.35, length * 0.35, radius),
            along_x(radius * 0.5, -length / 2, length / 2, radius),
        ),
        tip=((length * 0.30, 0.0, 0.0), (length * 0.1, 0.0, 0.0)),
        mass=mass_of(material, surface, solid),
        width=2 * radius,
        height=2 * radius,
        surface=surface,
    )


def pan(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A frying pan; its handle points along negative x."""
    radius, height, reach = rng.uniform(0.085, 0.12), rng.uniform(0.032, 0.048), rng.uniform(0.14, 0.18)
    wall = rng.uniform(0.0015, 0.003)
    outside = [(radius * 0.82, 0.0), (radius * 0.88, 0.004), (radius, height)]
    inside = [(radius - 0.003, height), (radius * 0.86, 0.007), (0.0, 0.005)]
    x = np.linspace(-radius * 0.95, -radius - reach, 12)
    rise = height * 0.85 + 0.022 * np.linspace(0.0, 1.0, 12) ** 0.7
    handle = tube(
        np.stack([x, 0 * x, rise], 1), np.stack([np.linspace(0.006, 0.009, 12), np.linspace(0.008, 0.012, 12)], 1)
    )
    surface = np.pi * radius**2 * 1.5
    hold = height * 0.85 + 0.018
    return Shape(
        name="pan",
        material=material,
        body=lathe([(0.0, 0.0), *outside, *inside], max(segments, 24)),
        handle=handle,
        colliders=(
            Collider(kind="cylinder", size=(radius * 0.86, 0.003), position=(0.0, 0.0, 0.003)),
            along_x(0.009, -radius - reach, -radius, hold - 0.004),
            *ring_of_boxes(radius * 0.88, radius, 0.005, height, wall, 12),
        ),
        grip=Grip(kind="wrap", point=(-radius - reach * 0.6, 0.0, hold), axis=(1.0, 0.0, 0.0), radius=0.011),
        strike_points=((radius, 0.0, height * 0.5), (0.0, 0.0, 0.0), (radius * 0.7, radius * 0.7, height)),
        radius=radius + reach * 0.45,
        height=height + 0.02,
        mass=mass_of(material, surface, wall, 0.1),
        resonator=Resonator(kind="plate", thickness=wall, length=radius * 0.9, width=radius),
        surface=surface,
    )
