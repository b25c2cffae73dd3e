"""What may happen in a scene. A recipe gives the acts of the two hands and the variants that share its pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.scenario.difficulty import LEVELS, Level

SCENARIOS = (
    "hit", "held_vs_held", "drop", "put_down", "lid", "scrape", "one_silent", "near_miss", "off_screen", "silence",
)  # fmt: skip
"""Names of what happens in a sample; the last three have no visible collision."""

ACTS = ("hit", "put_down", "drop", "lid", "scrape", "hold")
"""What a hand may be about to do; ``hold`` keeps its object still in the air, for the other hand to hit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One course of events."""

    scenario: str
    striking: int
    """Side of the hand whose object collides, 0 for none."""
    off_screen: bool = False
    """Whether an impact is heard that is not in the picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneRecipe:
    """A scene and its variants."""

    acts: dict[int, str]
    """What each hand is about to do, of `ACTS`, by side: -1 left, +1 right."""
    variants: tuple[Variant, ...]
    resting: int = 0
    """Side of a hand whose objects touch all the time, silently; 0 for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneRequest:
    """What a scene must contain to act out a recipe."""

    level: Level
    acts: dict[int, str]
    """Act of each hand by side; a missing side has an empty hand or none."""
    twins: bool = False
    """Whether the two targets are of one shape and different materials."""
    held_out: bool = False
    """Whether to use held-out shapes, finishes and material pairs."""
    distinct_materials: bool = False
    """Whether the two possible collisions must differ in their set of materials."""


def request_at_level(name: str, recipe: SceneRecipe, **more: bool) -> SceneRequest:
    """Returns what a scene must contain for a recipe at a named difficulty.

    Raises:
        ValueError: if there is no such level.
    """
    if name not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {name!r}")
    return SceneRequest(level=LEVELS[name], acts=recipe.acts, **more)


def two_hands() -> SceneRecipe:
    """Both hands are about to hit something; one of them does."""
    return SceneRecipe(
        acts={1: "hit", -1: "hit"},
        variants=(Variant(scenario="hit", striking=1), Variant(scenario="hit", striking=-1)),
    )


def one_silent(rng: np.random.Generator) -> SceneRecipe:
    """Both hands' objects touch something, and only one of them makes the sound."""
    side = _side(rng)
    return SceneRecipe(
        acts={side: "hit", -side: "hit"},
        variants=(Variant(scenario="one_silent", striking=side), _nothing(rng)),
        resting=-side,
    )


def one_hand(rng: np.random.Generator) -> SceneRecipe:
    """One hand hits, or stops short of it."""
    side = _side(rng)
    return SceneRecipe(acts={side: "hit"}, variants=(Variant(scenario="hit", striking=side), _nothing(rng)))


def held_vs_held(rng: np.random.Generator) -> SceneRecipe:
    """One held object hits the other, or stops short of it."""
    side = _side(rng)
    return SceneRecipe(
        acts={-side: "hold", side: "hit"},
        variants=(Variant(scenario="held_vs_held", striking=side), _nothing(rng)),
    )


def special(rng: np.random.Generator, act: str) -> SceneRecipe:
    """One hand drops, puts down, scrapes or closes a pot; or the other one hits."""
    side = _side(rng)
    return SceneRecipe(
        acts={side: act, -side: "hit"},
        variants=(Variant(scenario=act, striking=side), Variant(scenario="hit", striking=-side)),
    )


def draw_recipe(rng: np.random.Generator) -> SceneRecipe:
    """Draws from the mixture of ordinary scenes."""
    kind = str(
        rng.choice(
            ["two_hands", "one_hand", "held_vs_held", "one_silent", "drop", "put_down", "lid", "scrape"],
            p=[0.38, 0.12, 0.13, 0.11, 0.08, 0.07, 0.05, 0.06],
        )
    )
    if kind == "two_hands":
        return two_hands()
    if kind == "one_silent":
        return one_silent(rng)
    if kind == "one_hand":
        return one_hand(rng)
    return held_vs_held(rng) if kind == "held_vs_held" else special(rng, kind)


def _side(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.6 else -1


def _nothing(rng: np.random.Generator) -> Variant:
    scenario = str(rng.choice(["near_miss", "off_screen", "silence"], p=[0.3, 0.5, 0.2]))
    return Variant(scenario=scenario, striking=0, off_screen=scenario == "off_screen")
