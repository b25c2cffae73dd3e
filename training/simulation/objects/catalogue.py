"""The catalogue of household objects: 23 classes, each in the materials it is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.simulation.objects.materials import MATERIALS
from training.simulation.objects.shapes import cutlery, flat, utensils, vessels
from training.simulation.objects.shapes.shape import Shape

Builder = Callable[[np.random.Generator, str, int], Shape]

CLASSES: dict[str, tuple[Builder, tuple[str, ...]]] = {
    "mug": (vessels.mug, ("ceramic", "glass", "metal", "plastic")),
    "tumbler": (vessels.tumbler, ("glass", "plastic", "metal", "paper", "ceramic")),
    "bowl": (vessels.bowl, ("ceramic", "glass", "metal", "wood", "plastic")),
    "jar": (vessels.jar, ("glass", "ceramic", "plastic", "metal")),
    "can": (vessels.can, ("metal",)),
    "bottle": (vessels.bottle, ("glass", "plastic", "metal")),
    "pot": (vessels.pot, ("metal", "ceramic")),
    "lid": (vessels.lid, ("metal", "glass", "ceramic")),
    "mill": (vessels.mill, ("wood", "metal", "plastic")),
    "plate": (flat.plate, ("ceramic", "glass", "wood", "plastic", "paper", "metal")),
    "board": (flat.board, ("wood", "plastic", "glass")),
    "coaster": (flat.coaster, ("wood", "cloth", "paper", "ceramic")),
    "tray": (flat.tray, ("metal", "plastic", "paper", "wood")),
    "packet": (flat.packet, ("paper", "metal", "plastic", "wood")),
    "roll": (flat.roll, ("paper",)),
    "towel": (flat.towel, ("cloth",)),
    "spoon": (cutlery.spoon, ("metal", "wood", "plastic")),
    "fork": (cutlery.fork, ("metal", "wood", "plastic")),
    "knife": (cutlery.knife, ("metal",)),
    "spatula": (utensils.spatula, ("metal", "wood", "plastic")),
    "ladle": (utensils.ladle, ("metal", "wood", "plastic")),
    "rolling_pin": (utensils.rolling_pin, ("wood", "metal", "plastic")),
    "pan": (utensils.pan, ("metal",)),
}
"""Builder and materials by class."""

HOLDABLE = tuple(name for name in CLASSES if name not in ("pot", "roll", "towel", "board", "coaster"))
"""Classes that one hand lifts."""

ROUND_SEGMENTS, FACETED_SEGMENTS = 40, 8
"""Segments around the axis of turned objects: ordinary ones, and the held-out shapes."""


TARGETS = tuple(name for name in CLASSES if name not in ("lid", "fork"))
"""Classes that a hand may hit, or drop an object on."""
FLAT_TARGETS = ("board", "plate", "tray", "pan")
"""Classes on which objects are put down or scraped."""


def build_shape(rng: np.random.Generator, name: str, material: str, *, segments: int = ROUND_SEGMENTS) -> Shape:
    """Builds one object with random proportions.

    Raises:
        ValueError: if there is no such class, or it is not made of this material.
    """
    if name not in CLASSES:
        raise ValueError(f"class must be one of {', '.join(CLASSES)}, got {name!r}")
    builder, materials = CLASSES[name]
    if material not in materials:
        raise ValueError(f"material of a {name} must be one of {', '.join(materials)}, got {material!r}")
    return builder(rng, material, segments)


def classes_of(material: str, names: tuple[str, ...] = tuple(CLASSES)) -> list[str]:
    """Those of `names` that are made of `material`.

    Raises:
        ValueError: if there is no such material.
    """
    if material not in MATERIALS:
        raise ValueError(f"material must be one of {', '.join(MATERIALS)}, got {material!r}")
    return [name for name in names if material in CLASSES[name][1]]


def draw_kind(rng: np.random.Generator, names: tuple[str, ...]) -> tuple[str, str]:
    """Draws what an object is and is made of.

    The material comes first: metal objects come in so many classes that drawing the class first would make most of them
    metal.

    Args:
        rng: Source of chance.
        names: Classes to choose from.

    Returns:
        Class and material.
    """
    materials = [m for m in MATERIALS if classes_of(m, names)]
    weights = np.array([0.5 if m == "cloth" else 1.0 for m in materials])
    material = materials[int(rng.choice(len(materials), p=weights / weights.sum()))]
    choices = classes_of(material, names)
    return choices[int(rng.integers(len(choices)))], material
