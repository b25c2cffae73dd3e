"""Turned vessels: mugs, bowls, pots, bottles and their like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.simulation.objects.meshes import Mesh, joined, lathe, tube
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

Profile = list[tuple[float, float]]


def _vessel(
    rng: np.random.Generator,
    material: str,
    name: str,
    *,
    foot: float,
    mouth: float,
    height: float,
    bulge: float,
    segments: int,
    grip: Grip | None = None,
    thickness: float | None = None,
    base: float = 0.92,
) -> Shape:
    wall = thickness or rng.uniform(*THICKNESS_M[material])
    shown = max(wall, 0.0018)
    share = np.linspace(0.0, 1.0, 10)
    radius = foot + (mouth - foot) * share**bulge
    outside: Profile = [(foot * base, 0.0), (foot, 0.003), *zip(radius[1:], height * share[1:], strict=True)]
    inside: Profile = [(r - shown, max(z - shown * 0.2, shown)) for r, z in outside[:0:-1]]
    body = lathe([(0.0, 0.0), *outside, *inside, (0.0, shown)], segments)
    colliders = [Collider(kind="cylinder", size=(foot * 0.97, 0.002), position=(0.0, 0.0, 0.002))]
    colliders += ring_of_boxes(foot, mouth, 0.005, height, wall)
    surface = float(np.pi * (foot + mouth) * np.hypot(height, mouth - foot) + np.pi * foot**2)
    middle = (foot + mouth) / 2
    return Shape(
        name=name,
        material=material,
        body=body,
        colliders=tuple(colliders),
        grip=grip
        or Grip(kind="wrap", point=(0.0, 0.0, height * 0.5), radius=min(foot + 0.85 * max(mouth - foot, 0.0), 0.046)),
        strike_points=((0.0, 0.0, 0.0), (mouth * 0.97, 0.0, height * 0.97), (foot * 0.95, 0.0, 0.005)),
        radius=max(foot, mouth),
        height=height,
        mass=mass_of(material, surface, wall),
        resonator=Resonator(kind="shell", thickness=wall, length=middle, width=height),
        surface=surface,
    )


def _with_parts(shape: Shape, *meshes: Mesh, colliders: tuple[Collider, ...] = (), reach: float = 0.0) -> Shape:
    return replace(
        shape,
        body=joined(shape.body, *meshes),
        colliders=shape.colliders + colliders,
        radius=max(shape.radius, reach),
    )


def mug(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A mug with a handle along x."""
    foot, height = rng.uniform(0.036, 0.044), rng.uniform(0.082, 0.105)
    shape = _vessel(
        rng,
        material,
        "mug",
        foot=foot,
        mouth=foot * rng.uniform(0.98, 1.1),
        height=height,
        bulge=0.7,
        segments=segments,
    )
    angle = np.linspace(-np.pi / 2, np.pi / 2, 12)
    reach = height * 0.3
    handle = np.stack([foot * 0.99 + 0.9 * reach * np.cos(angle), 0 * angle, height * 0.52 + reach * np.sin(angle)], 1)
    thickness = rng.uniform(0.0042, 0.0055)
    bump = Collider(kind="capsule", size=(0.005, reach * 0.7), position=(foot + 0.85 * reach, 0.0, height * 0.52))
    return _with_parts(shape, tube(handle, thickness, 10), colliders=(bump,), reach=foot + reach)


def tumbler(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A drinking glass or beaker."""
    foot = rng.uniform(0.028, 0.036)
    mouth = foot * rng.uniform(1.05, 1.3)
    return _vessel(
        rng, material, "tumbler", foot=foot, mouth=mouth, height=rng.uniform(0.09, 0.14), bulge=1.0, segments=segments
    )


def bowl(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A bowl, held at its rim."""
    foot = rng.uniform(0.03, 0.045)
    mouth, height = foot * rng.uniform(1.7, 2.3), rng.uniform(0.045, 0.075)
    rim = Grip(kind="pinch", point=(-mouth * 0.98, 0.0, height * 0.93), radius=0.004)
    return _vessel(rng, material, "bowl", foot=foot, mouth=mouth, height=height, bulge=0.5, segments=segments, grip=rim)


def jar(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A preserving jar, canister or cookie pot without its lid."""
    foot = rng.uniform(0.035, 0.048)
    return _vessel(
        rng,
        material,
        "jar",
        foot=foot,
        mouth=foot * rng.uniform(0.92, 1.0),
        height=rng.uniform(0.08, 0.14),
        bulge=2.5,
        segments=segments,
    )


def can(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A food tin or drink can, closed, full or empty."""
    radius, height = rng.uniform(0.028, 0.042), rng.uniform(0.07, 0.13)
    wall = rng.uniform(2e-4, 5e-4)
    rim = [(radius * 0.93, 0.0), (radius, 0.003), (radius * 0.985, 0.006), (radius * 0.985, height - 0.006)]
    top = [(radius, height - 0.003), (radius * 0.96, height), (radius * 0.93, height - 0.003), (0.0, height - 0.003)]
    surface = 2 * np.pi * radius * (height + radius)
    contents = rng.uniform(0.05, 0.8) * 900 * np.pi * radius**2 * height
    return Shape(
        name="can",
        material=material,
        body=lathe([(0.0, 0.002), *rim, *top], segments),
        colliders=(Collider(kind="cylinder", size=(radius, height / 2), position=(0.0, 0.0, height / 2)),),
        grip=Grip(kind="wrap", point=(0.0, 0.0, height * 0.55), radius=radius),
        strike_points=((0.0, 0.0, 0.0), (radius, 0.0, 0.004), (radius, 0.0, height * 0.97)),
        radius=radius,
        height=height,
        mass=mass_of(material, surface, wall, contents),
        resonator=Resonator(kind="shell", thickness=wall * 2, length=radius, width=height),
        surface=surface,
    )


def bottle(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A bottle with a neck and a cap, partly filled."""
    radius, height, neck = rng.uniform(0.028, 0.038), rng.uniform(0.18, 0.25), rng.uniform(0.011, 0.014)
    shoulder = rng.uniform(0.52, 0.68)
    wall = rng.uniform(*THICKNESS_M[material])
    bend = np.linspace(0.0, np.pi, 8)
    slope = [(neck + (radius - neck) * (0.5 + 0.5 * np.cos(a)), height * (shoulder + 0.2 * a / np.pi)) for a in bend]
    body = lathe([(0.0, 0.003), (radius * 0.9, 0.0), (radius, 0.005), *slope, (neck, height * 0.95)], segments)
    cap_foot = height * 0.93
    cap = lathe([(neck * 1.15, cap_foot), (neck * 1.2, height * 0.985), (neck, height), (0.0, height)], segments)
    surface = 2 * np.pi * radius * height * 0.85
    contents = rng.uniform(0.0, 0.7) * 900 * np.pi * radius**2 * height * 0.7
    return Shape(
        name="bottle",
        material=material,
        body=body,
        handle=cap,
        colliders=(
            Collider(kind="cylinder", size=(radius, height * shoulder / 2), position=(0.0, 0.0, height * shoulder / 2)),
            Collider(
                kind="cylinder",
                size=(neck * 1.2, height * (1 - shoulder) / 2),
                position=(0.0, 0.0, height * (1 + shoulder) / 2),
            ),
        ),
        grip=Grip(kind="wrap", point=(0.0, 0.0, height * 0.45), radius=radius),
        strike_points=((0.0, 0.0, 0.0), (radius, 0.0, 0.01), (radius, 0.0, height * 0.2)),
        radius=radius,
        height=height,
        mass=mass_of(material, surface, wall, contents),
        resonator=Resonator(kind="shell", thickness=wall, length=radius, width=height),
        surface=surface,
    )


def pot(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A cooking pot with two handles along y, too heavy for one hand."""
    radius, height = rng.uniform(0.085, 0.115), rng.uniform(0.08, 0.12)
    shape = _vessel(
        rng,
        material,
        "pot",
        foot=radius * 0.96,
        mouth=radius,
        height=height,
        bulge=1.0,
        segments=segments,
        grip=Grip(kind="none", point=(0.0, 0.0, height)),
    )
    angle = np.linspace(-np.pi / 2, np.pi / 2, 10)
    handles = [
        tube(
            np.stack(
                [0.035 * np.sin(angle), side * (radius * 0.98 + 0.03 * np.cos(angle)), 0 * angle + height * 0.8], 1
            ),
            0.0055,
        )
        for side in (1.0, -1.0)
    ]
    return _with_parts(shape, *handles, reach=radius + 0.03)


def lid(rng: np.random.Generator, material: str, segments: int, radius: float | None = None) -> Shape:
    """A domed lid with a bow along x for a handle."""
    radius = radius or rng.uniform(0.08, 0.105)
    wall = rng.uniform(*THICKNESS_M[material])
    dome = radius * rng.uniform(0.12, 0.2)
    shown = max(wall, 0.002)
    share = np.linspace(1.0, 0.0, 8)
    over = [(radius * s, 0.006 + dome * (1 - s**2)) for s in share]
    under = [(radius * s * 0.98, 0.006 - shown + dome * (1 - s**2)) for s in share[::-1]]
    skirt = [(radius * 0.93, 0.0), (radius, 0.003)]
    body = lathe([*under, *skirt, *over], segments)
    angle = np.linspace(0.0, np.pi, 11)
    bow = np.stack([0.042 * np.cos(angle), 0 * angle, 0.006 + dome * 0.94 + 0.034 * np.sin(angle) ** 0.6], 1)
    surface = np.pi * radius**2 * 1.05
    colliders = [Collider(kind="cylinder", size=(radius * 0.9, 0.002), position=(0.0, 0.0, 0.008 + dome * 0.5))]
    colliders += ring_of_boxes(radius, radius * 0.9, 0.0, 0.008 + dome * 0.3, wall, 12)
    top = 0.006 + dome + 0.034
    return Shape(
        name="lid",
        material=material,
        body=body,
        handle=tube(bow, 0.0065, 10),
        colliders=(*colliders, along_x(0.007, -0.042, 0.042, top - 0.004)),
        grip=Grip(kind="wrap", point=(0.0, 0.0, top - 0.003), axis=(1.0, 0.0, 0.0), radius=0.009),
        strike_points=((0.0, 0.0, 0.0), (radius * 0.98, 0.0, 0.0)),
        radius=radius,
        height=top,
        mass=mass_of(material, surface, wall, 0.04),
        resonator=Resonator(kind="plate", thickness=wall, length=radius, width=radius),
        surface=surface,
    )


def mill(rng: np.random.Generator, material: str, segments: int) -> Shape:
    """A pepper mill."""
    radius, height = rng.uniform(0.024, 0.031), rng.uniform(0.14, 0.22)
    z = np.linspace(0.0, 1.0, 22)
    waist = 1.0 - 0.32 * np.sin(np.pi * np.clip(z / 0.7, 0, 1)) - 0.15 * (np.abs(z - 0.72) < 0.04)
    head = np.where(z > 0.76, np.sqrt(np.clip(1 - ((z - 0.86) / 0.14) ** 2, 0.0, 1.0)), 1.0)
    surface = 2 * np.pi * radius * height
    return Shape(
        name="mill",
        material=material,
        body=lathe([(0.0, 0.0), *zip(radius * waist * head, height * z, strict=True)], segments),
        colliders=(Collider(kind="cylinder", size=(radius * 0.95, height / 2), position=(0.0, 0.0, height / 2)),),
        grip=Grip(kind="wrap", point=(0.0, 0.0, height * 0.45), radius=radius * 0.8),
        strike_points=((0.0, 0.0, 0.0), (radius, 0.0, 0.006)),
        radius=radius,
        height=height,
        mass=mass_of(material, surface, 0.008 if material != "metal" else 0.002, 0.03),
        resonator=Resonator(kind="shell", thickness=0.007, length=radius, width=height),
        surface=surface,
    )
