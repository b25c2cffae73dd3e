"""Cutlery: spoons, forks and knives. Their working end is at positive x."""

from __future__ import annotations

import numpy as np

from training.simulation.objects.meshes import extruded, joined, tube
from training.simulation.objects.shapes.shape import Collider, Shape, along_x, mass_of
from training.simulation.objects.shapes.tool import stick_mesh, tool


def _ellipse(centre_x: float, half_length: float, half_width: float, count: int = 22) -> np.ndarray:
    angle = np.linspace(0.0, 2 * np.pi, count, endpoint=False)
    return np.stack([centre_x + half_length * np.cos(angle), half_width * np.sin(angle)], 1)


def spoon(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A table or cooking spoon."""
    length = rng.uniform(0.19, 0.29)
    width, stick = rng.uniform(0.019, 0.029), (0.0032 if material == "metal" else rng.uniform(0.004, 0.006))
    half = width * 1.4
    centre = length / 2 - half
    outline = _ellipse(centre, half, width)
    depth = 0.4 * width

    def dish(xy: np.ndarray) -> np.ndarray:
        r2 = ((xy[:, 0] - centre) / half) ** 2 + (xy[:, 1] / width) ** 2
        return stick + 0.004 + depth * (r2 - 1.0) * 0.6

    head = extruded(outline, dish, max(stick * 0.7, 0.002))
    rod = stick_mesh(-length / 2, centre - half * 0.85, stick + 0.003, (stick, stick * 1.9), 0.004)
    colliders = (
        along_x(stick, -length / 2, centre - half * 0.8, stick),
        Collider(kind="ellipsoid", size=(half, width, max(depth * 0.45, 0.005)), position=(centre, 0.0, depth * 0.5)),
    )
    surface = length * 4 * stick + 2 * np.pi * half * width
    return tool(
        "spoon",
        material,
        length=length,
        stick=stick,
        body=joined(rod, head),
        handle=None,
        colliders=colliders,
        tip=((length / 2 - 0.3 * half, 0.0, 0.0), (length / 2, 0.0, 0.006)),
        mass=mass_of(material, surface, stick * 0.55),
        width=width,
        height=0.016,
        surface=surface,
    )


def fork(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A fork with four tines."""
    length, stick = rng.uniform(0.18, 0.22), 0.003 if material == "metal" else 0.0045
    neck, root = length / 2 - 0.075, length / 2 - 0.05
    rod = stick_mesh(-length / 2, neck, stick, (stick, stick * 2.0), 0.006)
    fan = extruded(
        [
            (neck - 0.005, -0.004),
            (root - 0.01, -0.0115),
            (root, -0.0125),
            (root, 0.0125),
            (root - 0.01, 0.0115),
            (neck - 0.005, 0.004),
        ],
        lambda xy: np.full(len(xy), stick),
        0.003,
    )
    x = np.linspace(root - 0.003, length / 2, 6)
    tines = [
        tube(np.stack([x, 0 * x + y, stick + 0.006 * ((x - root) / 0.05) ** 2], 1), np.linspace(0.0019, 0.001, 6), 8)
        for y in (-0.0108, -0.0036, 0.0036, 0.0108)
    ]
    colliders = (
        along_x(stick, -length / 2, neck, stick),
        Collider(
            kind="box", size=((length / 2 - neck) / 2, 0.0125, 0.002), position=((length / 2 + neck) / 2, 0.0, stick)
        ),
    )
    surface = length * 5 * stick
    return tool(
        "fork",
        material,
        length=length,
        stick=stick,
        body=joined(rod, fan, *tines),
        handle=None,
        colliders=colliders,
        tip=((length / 2, 0.0, stick), (length / 2 - 0.02, 0.0, 0.0)),
        mass=mass_of(material, surface, stick),
        width=0.02,
        height=0.012,
        surface=surface,
    )


def knife(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A kitchen knife lying on its flat; the grip has a finish of its own."""
    length, width = rng.uniform(0.21, 0.32), rng.uniform(0.024, 0.042)
    blade = length * 0.58
    x0 = length / 2 - blade
    t = np.linspace(0.0, 1.0, 9)
    edge = np.stack([x0 + blade * t, -width * 0.5 * (1 - 0.75 * t**3)], 1)
    spine = np.stack([x0 + blade * t[::-1], width * 0.5 * (1 - 1.75 * t[::-1] ** 4)], 1)
    plate = extruded(np.concatenate([edge, spine]), lambda xy: np.full(len(xy), 0.009), 0.002)
    grip = stick_mesh(-length / 2, x0 + 0.01, 0.009, (0.008, 0.0125))
    colliders = (
        along_x(0.009, -length / 2, x0, 0.009),
        Collider(kind="box", size=(blade / 2, width * 0.42, 0.0015), position=(x0 + blade / 2, 0.0, 0.009)),
    )
    surface = 2 * blade * width
    return tool(
        "knife",
        material,
        length=length,
        stick=0.009,
        body=plate,
        handle=grip,
        colliders=colliders,
        tip=((length / 2 - 0.03, -width * 0.3, 0.009), (x0 + blade * 0.5, -width * 0.4, 0.009)),
        mass=mass_of(material, surface / 2, 0.002, 0.04),
        width=0.004,
        height=0.018,
        surface=surface,
    )
