"""The splits of Sim-CS3, fixed by seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.simulation.scenario import scenarios
from training.simulation.scenario.scenarios import SceneRecipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """What the scenes of a split have in common."""

    draw_recipe: Callable[[np.random.Generator], SceneRecipe]
    """What happens; called once per scene."""
    twins: bool = False
    """Whether both hands are about to hit objects of one shape and different materials."""
    held_out: bool = False
    """Whether shapes, finishes and material pairs are those kept out of training."""
    distinct_materials: bool = False
    """Whether the two collisions of a scene differ in their set of materials."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """A set of scenes, two samples each."""

    number: int
    """First part of every seed of the split."""
    num_samples: int
    """Size in the full data set; even, as a scene gives two samples."""
    theme: Theme


def _two_hands(rng: np.random.Generator) -> SceneRecipe:
    return scenarios.two_hands()


def _ambiguous_hands(rng: np.random.Generator) -> SceneRecipe:
    return scenarios.two_hands() if rng.random() < 0.5 else scenarios.one_silent(rng)


SPLITS = {
    "train": Split(number=1, num_samples=20_000, theme=Theme(draw_recipe=scenarios.draw_recipe)),
    "val": Split(number=2, num_samples=1_000, theme=Theme(draw_recipe=scenarios.draw_recipe)),
    "test": Split(number=3, num_samples=2_000, theme=Theme(draw_recipe=scenarios.draw_recipe)),
    "counterfactual": Split(number=4, num_samples=1_000, theme=Theme(draw_recipe=_two_hands, distinct_materials=True)),
    "twins": Split(number=5, num_samples=500, theme=Theme(draw_recipe=_two_hands, twins=True)),
    "two_hands": Split(number=6, num_samples=500, theme=Theme(draw_recipe=_ambiguous_hands)),
    "held_out": Split(number=7, num_samples=500, theme=Theme(draw_recipe=scenarios.draw_recipe, held_out=True)),
}
"""Splits by name. Both samples of a scene have the same picture (a group)."""

TINY = {
    "train": 24, "val": 6, "test": 10, "counterfactual": 8, "twins": 6, "two_hands": 4, "held_out": 6,
}  # fmt: skip
"""Sizes of a small version for tests and first steps."""


def split_named(name: str) -> Split:
    """Returns a split.

    Raises:
        ValueError: if there is no such split.
    """
    if name not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
    return SPLITS[name]
