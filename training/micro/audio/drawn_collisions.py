"""Collisions without scenes: what strikes what, how fast, and what follows, as in the world and outside of it.

They have what a sample of Sim-CS3 has (scenario, objects, materials, grips), drawn by the same functions; only the
speeds and the bounces, which the physics gives there, are drawn from what it gave in 500 scenes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.objects.appearance import table_top
from training.simulation.objects.catalogue import (
    CLASSES,
    FLAT_TARGETS,
    HOLDABLE,
    ROUND_SEGMENTS,
    TARGETS,
    build_shape,
    draw_kind,
)
from training.simulation.objects.materials import HAND_PARTS, HELD_OUT_PAIRS
from training.simulation.objects.shapes import vessels
from training.simulation.objects.shapes.shape import Shape
from training.simulation.scenario import scenarios
from training.simulation.sound.bodies import STRIKERS, Body, body_of, large_body, striker_body, table_body
from training.simulation.sound.impact_sound import Impact, Scrape

_SCRAPERS = ("spoon", "fork", "knife", "spatula", "ladle")
_LIFTED = tuple(name for name in HOLDABLE if name not in ("pan", "lid"))
_BOUNCE_SHARE = 0.2
"""Probability that another collision follows, in the scenarios other than held_vs_held, lid and scrape."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DrawnCollision:
    """A collision before it sounds."""

    scenario: str
    """See `training.simulation.scenario.scenarios.SCENARIOS`; or ``struck``."""
    objects: tuple[str, str]
    """What strikes, a class or a striker, and the class of what is struck, which may be the table or unknown."""
    bodies: list[Body]
    impacts: list[Impact]
    """The first at the onset."""
    scrapes: list[Scrape]

    @property
    def onset_s(self) -> float:
        """When the first blow falls."""
        return self.impacts[0].time_s

    @property
    def materials(self) -> tuple[str, ...]:
        """The distinct materials of the first two bodies, sorted; a hand has none."""
        return tuple(sorted({body.material for body in self.bodies[:2]} - set(HAND_PARTS)))


def world_collision(rng: np.random.Generator, onset_s: float | None = None) -> DrawnCollision:
    """Draws a collision as in the world's scenes; also its onset, if none is given."""
    act = _act(rng)
    held, target, table = _objects(rng, act)
    bodies = [
        body_of(rng, held, held=act != "drop", standing=act == "drop"),
        table_body(rng, table)
        if target is None
        else body_of(rng, target, held=act == "held_vs_held", standing=act != "held_vs_held"),
    ]
    onset_s = float(rng.uniform(0.6, 1.2)) if onset_s is None else onset_s
    impacts = [_blow(bodies, (0, 1), onset_s, _closing_speed(rng, act))]
    if act not in ("held_vs_held", "lid", "scrape"):
        impacts += _bounces(rng, bodies, table, target is None, impacts[0])
    return DrawnCollision(
        scenario=act,
        objects=(held.name, "table" if target is None else target.name),
        bodies=bodies,
        impacts=impacts,
        scrapes=[_slide(rng, onset_s)] if act == "scrape" else [],
    )


def struck_collision(rng: np.random.Generator) -> DrawnCollision:
    """A hand, a stick or a tool strikes an object of the world or something larger, often again and again."""
    striker = str(rng.choice(STRIKERS))
    hitting = striker_body(rng, striker)
    while True:
        if rng.random() < 0.5:
            shape = build_shape(rng, *draw_kind(rng, TARGETS))
            name, target = shape.name, body_of(rng, shape, held=rng.random() < 0.3, standing=True)
        else:
            name, target = "unknown", large_body(rng)
        if frozenset((hitting.material, target.material)) not in HELD_OUT_PAIRS:
            break
    bodies = [hitting, target]
    times_s = rng.uniform(0.5, 1.0) + np.concatenate([[0.0], np.cumsum(rng.uniform(0.08, 0.4, rng.integers(0, 4)))])
    impacts = [_blow(bodies, (0, 1), float(time_s), float(rng.uniform(0.2, 2.0))) for time_s in times_s]
    return DrawnCollision(scenario="struck", objects=(striker, name), bodies=bodies, impacts=impacts, scrapes=[])


def _act(rng: np.random.Generator) -> str:
    """What one of the hands of an ordinary scene does."""
    while True:
        recipe = scenarios.draw_recipe(rng)
        loud = [variant for variant in recipe.variants if variant.striking]
        chosen = int(rng.integers(2))  # a scene has two variants, of which one may be silent
        if chosen < len(loud):
            scenario = loud[chosen].scenario
            return "hit" if scenario == "one_silent" else scenario


def _objects(rng: np.random.Generator, act: str) -> tuple[Shape, Shape | None, str]:
    """The striking object, what it strikes (None: the table), and the material of the table."""
    table = table_top(rng).material
    on_table = {"hit": 0.06, "put_down": 0.6, "drop": 0.4, "scrape": 0.4}
    if act == "lid":
        pot = build_shape(rng, *draw_kind(rng, ("pot",)))
        glass = pot.material == "metal" and rng.random() < 0.4
        lid = vessels.lid(rng, "glass" if glass else pot.material, ROUND_SEGMENTS, radius=pot.radius - 0.03)
        return lid, pot, table
    holdable = {"scrape": _SCRAPERS, "drop": _LIFTED, "put_down": _LIFTED}.get(act, HOLDABLE)
    if rng.random() < on_table.get(act, 0.0):
        return build_shape(rng, *draw_kind(rng, holdable)), None, table
    targets = {"held_vs_held": HOLDABLE, "scrape": FLAT_TARGETS, "put_down": FLAT_TARGETS}.get(act, TARGETS)
    target = build_shape(rng, *draw_kind(rng, targets))
    while True:
        name, material = draw_kind(rng, holdable)
        if frozenset((material, target.material)) not in HELD_OUT_PAIRS:
            return build_shape(rng, name, material), target, table


def _closing_speed(rng: np.random.Generator, act: str) -> float:
    """Metres per second along the normal of the contact."""
    if act == "drop":
        return float(np.sqrt(2 * 9.81 * rng.uniform(0.04, 0.11)))
    path = rng.uniform(0.15, 0.3) if act in ("put_down", "lid", "scrape") else rng.uniform(0.25, 0.9)
    return float(path * rng.uniform(0.9 if act in ("put_down", "lid", "scrape") else 0.45, 1.0))


def _blow(bodies: list[Body], pair: tuple[int, int], time_s: float, speed: float) -> Impact:
    """A plastic blow: the pair exchanges its relative momentum."""
    reduced = 1.0 / sum(1.0 / bodies[index].mass for index in pair)
    return Impact(bodies=pair, time_s=time_s, impulse=reduced * speed, closing_speed=speed)


def _bounces(
    rng: np.random.Generator, bodies: list[Body], table: str, is_table_hit: bool, first: Impact
) -> list[Impact]:
    """What follows a blow: its target knocks the table or a neighbour, or the blow repeats itself.

    Adds the bodies that are new.
    """
    found = []
    while rng.random() < _BOUNCE_SHARE:
        kind = "again" if is_table_hit else str(rng.choice(["table", "neighbour", "again"], p=[0.62, 0.23, 0.15]))
        pair = (0, 1) if kind == "again" else (1, len(bodies))
        if kind == "table":
            bodies.append(table_body(rng, table))
        elif kind == "neighbour":
            neighbour = build_shape(rng, *draw_kind(rng, tuple(CLASSES)))
            bodies.append(body_of(rng, neighbour, held=False, standing=True))
        speed = float(np.clip(rng.lognormal(np.log(0.25), 0.7), 0.06, 2.0))
        found.append(_blow(bodies, pair, first.time_s + rng.uniform(0.006, 0.13), speed))
    return found


def _slide(rng: np.random.Generator, onset_s: float) -> Scrape:
    speed = rng.uniform(0.1, 0.28) * (1 + 0.05 * rng.standard_normal(158))
    return Scrape(bodies=(0, 1), start_s=onset_s, sliding_speed=np.abs(speed))
