"""How surfaces look. What they sound like is in `materials`; the two are drawn independently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.simulation.objects.textures import VARIANTS

GLAZES = (
    (0.93, 0.92, 0.89), (0.90, 0.88, 0.82), (0.78, 0.80, 0.79), (0.45, 0.55, 0.60), (0.24, 0.33, 0.42),
    (0.62, 0.36, 0.28), (0.50, 0.56, 0.46), (0.80, 0.68, 0.46), (0.28, 0.29, 0.31), (0.66, 0.48, 0.44),
)  # fmt: skip
"""Colours of glazes, enamels and paints."""
PLASTICS = (
    (0.86, 0.86, 0.85), (0.75, 0.18, 0.15), (0.17, 0.36, 0.60), (0.24, 0.52, 0.36), (0.88, 0.68, 0.22),
    (0.85, 0.48, 0.20), (0.16, 0.17, 0.18), (0.56, 0.70, 0.76), (0.78, 0.70, 0.62), (0.55, 0.24, 0.42),
)  # fmt: skip
METALS = ((0.78, 0.78, 0.79), (0.66, 0.66, 0.67), (0.86, 0.86, 0.87), (0.83, 0.66, 0.42), (0.80, 0.52, 0.40))
_STEEL_TOOLS = ("knife", "fork", "spoon", "ladle", "spatula", "tray", "lid")
HELD_OUT_GLAZES = ((0.55, 0.78, 0.72), (0.70, 0.52, 0.72), (0.90, 0.78, 0.78))
"""Colours that only objects with held-out finishes have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SurfaceFinish:
    """Parameters of a physically based surface."""

    rgba: tuple[float, float, float, float]
    """sRGB and opacity."""
    metallic: float = 0.0
    roughness: float = 0.5
    picture: tuple[str, int] | None = None
    """Kind and variant of `textures.texture`."""
    repeat: float = 1.0
    """How often the picture repeats over the object."""


def _shade(
    rng: np.random.Generator, colours: Sequence[tuple[float, float, float]], spread: float = 0.06
) -> tuple[float, float, float]:
    colour = np.array(colours[int(rng.integers(len(colours)))]) * rng.uniform(1 - spread, 1 + spread)
    red, green, blue = np.clip(colour + rng.normal(0.0, 0.012, 3), 0.02, 0.97).tolist()
    return red, green, blue


def _picture(rng: np.random.Generator, kind: str, held_out: bool) -> tuple[str, int]:
    return kind, int(rng.integers(VARIANTS - 2, VARIANTS) if held_out else rng.integers(VARIANTS - 2))


def ambiguous(rng: np.random.Generator) -> SurfaceFinish:
    """A finish that enamelled metal, glazed clay, milk glass, lacquered wood and plastic share."""
    return SurfaceFinish(rgba=(*_shade(rng, GLAZES), 1.0), roughness=rng.uniform(0.15, 0.45))


def finish_of(
    rng: np.random.Generator, material: str, name: str, *, ambiguity: float, held_out: bool = False
) -> SurfaceFinish:
    """Draws the finish of an object's body.

    Args:
        rng: Source of randomness.
        material: Its material.
        name: Its class.
        ambiguity: Probability of an `ambiguous` finish, where the material can have one.
        held_out: Whether to draw from the finishes kept out of training.
    """
    paintable = material in ("metal", "ceramic", "glass", "wood", "plastic") and name not in ("knife", "fork")
    if paintable and rng.random() < ambiguity:
        return ambiguous(rng)
    glazes = HELD_OUT_GLAZES if held_out else GLAZES
    if material == "metal":
        if name == "can" and rng.random() < 0.7:
            return SurfaceFinish(
                rgba=(1, 1, 1, 1), metallic=0.35, roughness=0.35, picture=_picture(rng, "print", held_out)
            )
        brushed = _picture(rng, "brushed", held_out) if rng.random() < 0.5 or held_out else None
        if name in _STEEL_TOOLS:  # satin: a mirror of this shape shows the dark of the room and looks black
            return SurfaceFinish(
                rgba=(*_shade(rng, METALS[2:3], 0.05), 1.0), metallic=0.6, roughness=rng.uniform(0.3, 0.5)
            )
        return SurfaceFinish(
            rgba=(*_shade(rng, METALS, 0.05), 1.0), metallic=0.9, roughness=rng.uniform(0.2, 0.45), picture=brushed
        )
    if material == "ceramic":
        kind = str(rng.choice(["plain", "speckled", "banded"], p=[0.5, 0.25, 0.25]))
        if kind == "plain" or name in ("coaster", "lid"):
            return SurfaceFinish(rgba=(*_shade(rng, glazes), 1.0), roughness=rng.uniform(0.08, 0.5))
        return SurfaceFinish(rgba=(1, 1, 1, 1), roughness=rng.uniform(0.1, 0.5), picture=_picture(rng, kind, held_out))
    if material == "glass":
        tint = np.array([[0.76, 0.88, 0.87], [0.70, 0.84, 0.80], [0.42, 0.55, 0.36], [0.48, 0.34, 0.20]])
        tone = tint[int(rng.choice(4, p=[0.5, 0.3, 0.1, 0.1] if name == "bottle" else [0.6, 0.36, 0.02, 0.02]))]
        opacity = rng.uniform(0.28, 0.45) if tone[0] > 0.6 else rng.uniform(0.55, 0.75)
        red, green, blue = tone.tolist()
        return SurfaceFinish(rgba=(red, green, blue, opacity), roughness=rng.uniform(0.02, 0.08))
    if material == "wood":
        return SurfaceFinish(
            rgba=(1, 1, 1, 1),
            roughness=rng.uniform(0.45, 0.8),
            picture=_picture(rng, "wood", held_out),
            repeat=rng.uniform(0.7, 1.5),
        )
    if material == "plastic":
        if rng.random() < 0.15 and name in ("tumbler", "bottle", "jar", "tray"):
            return SurfaceFinish(
                rgba=(*_shade(rng, PLASTICS[7:9]), rng.uniform(0.4, 0.6)), roughness=rng.uniform(0.15, 0.3)
            )
        return SurfaceFinish(
            rgba=(*_shade(rng, glazes if held_out else PLASTICS), 1.0), roughness=rng.uniform(0.3, 0.65)
        )
    if material == "cloth":
        return SurfaceFinish(rgba=(1, 1, 1, 1), roughness=0.95, picture=_picture(rng, "weave", held_out))
    if name == "roll":
        return SurfaceFinish(rgba=(0.94, 0.93, 0.91, 1.0), roughness=0.95)
    kind = "print" if name == "packet" and rng.random() < 0.75 else "board"
    if name in ("tumbler", "plate") and rng.random() < 0.5:
        return SurfaceFinish(rgba=(0.93, 0.92, 0.88, 1.0), roughness=0.9)
    return SurfaceFinish(rgba=(1, 1, 1, 1), roughness=rng.uniform(0.7, 0.95), picture=_picture(rng, kind, held_out))


def handle_finish(rng: np.random.Generator, body: SurfaceFinish) -> SurfaceFinish:
    """The finish of a grip or cap that is a part of its own: wood, dark plastic, or as the body."""
    kind = rng.random()
    if kind < 0.4:
        return SurfaceFinish(rgba=(1, 1, 1, 1), roughness=0.6, picture=_picture(rng, "wood", False))
    if kind < 0.75:
        return SurfaceFinish(
            rgba=(*_shade(rng, ((0.16, 0.16, 0.17), (0.24, 0.24, 0.25), (0.35, 0.2, 0.16))), 1.0), roughness=0.5
        )
    return body if body.rgba[3] == 1.0 else SurfaceFinish(rgba=(0.75, 0.75, 0.74, 1.0), roughness=0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table top: its look and its material."""

    material: str
    finish: SurfaceFinish


def table_top(rng: np.random.Generator, held_out: bool = False) -> Table:
    """Draws a worktop: wood, stone, laminate (counted as wood) or steel."""
    kind = str(
        rng.choice(["wood", "planks", "stone", "marble", "laminate", "steel"], p=[0.24, 0.16, 0.2, 0.12, 0.22, 0.06])
    )
    rough = float(rng.uniform(0.3, 0.7))
    if kind == "steel":
        return Table(
            material="metal",
            finish=SurfaceFinish(
                rgba=(0.62, 0.62, 0.63, 1.0), metallic=1.0, roughness=0.42, picture=("brushed", 0), repeat=3.0
            ),
        )
    if kind == "laminate":
        shades = ((0.82, 0.81, 0.78), (0.66, 0.66, 0.64), (0.40, 0.41, 0.42), (0.76, 0.70, 0.62))
        return Table(material="wood", finish=SurfaceFinish(rgba=(*_shade(rng, shades), 1.0), roughness=rough))
    material = "wood" if kind in ("wood", "planks") else "ceramic"
    tone = float(rng.uniform(0.8, 1.0))
    return Table(
        material=material,
        finish=SurfaceFinish(
            rgba=(tone, tone, tone, 1.0),
            roughness=rough,
            picture=_picture(rng, kind, held_out),
            repeat=rng.uniform(1.5, 3.0),
        ),
    )


def wall_finish(rng: np.random.Generator, held_out: bool = False) -> SurfaceFinish:
    """Tiles or plain paint."""
    if rng.random() < 0.65:
        return SurfaceFinish(
            rgba=(1, 1, 1, 1),
            roughness=rng.uniform(0.2, 0.5),
            picture=_picture(rng, "tile", held_out),
            repeat=rng.uniform(4, 7),
        )
    paints = ((0.88, 0.86, 0.82), (0.80, 0.82, 0.80), (0.72, 0.76, 0.78), (0.86, 0.78, 0.68))
    return SurfaceFinish(rgba=(*_shade(rng, paints), 1.0), roughness=0.9)


def robot_shell(rng: np.random.Generator) -> SurfaceFinish:
    """Draws what a robot's gripper or arm looks like: bare metal, or paint of any colour."""
    if rng.random() < 0.4:
        return SurfaceFinish(rgba=(*_shade(rng, METALS[:3]), 1.0), metallic=1.0, roughness=rng.uniform(0.25, 0.5))
    return SurfaceFinish(rgba=(*_shade(rng, PLASTICS), 1.0), roughness=rng.uniform(0.3, 0.7))
