"""Runs a recipe: from a seed to laid tables, found touches and simulated, checked variants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.physics import hand_motion
from training.simulation.physics.record import PhysicsRecord, SimulatedCollision
from training.simulation.physics.simulation import simulate
from training.simulation.scenario.scenarios import SceneRecipe, SceneRequest, Variant
from training.simulation.scene.build_scene import build_scene
from training.simulation.scene.layout_sampler import lay_out
from training.simulation.scene.mujoco_model import TIMESTEP_S
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import TABLE, LayoutError

TOUCH_S = 0.28
"""When the strokes of a still sample touch, on the clock of the simulation."""
STOP_S = 0.44
_EARLIEST_S, _LATEST_S = 0.012, 0.045
"""The first touch may come this much before and after `TOUCH_S`."""
LABEL_TOLERANCE_S = 0.005


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SimulatedVariant:
    """One simulated variant."""

    variant: Variant
    strokes: tuple[hand_motion.Stroke, ...]
    record: PhysicsRecord
    collision: SimulatedCollision | None
    """The collision that the sample is about."""
    onset_s: float
    """Its time on the clock of the simulation; the time of the missed touch where there is none."""


def prepare(
    rng: np.random.Generator, recipe: SceneRecipe, request: SceneRequest
) -> tuple[SimulatedScene, hand_motion.HeadMotion]:
    """Lays the table and finds the touches.

    Raises:
        LayoutError: if this draw does not work; draw again.
    """
    laid = lay_out(rng, request)
    scene = build_scene(rng, laid, request.level, held_out=request.held_out)
    for side, act in recipe.acts.items():
        if act != "hold":
            hand_motion.find_touch(scene, side)
    return scene, hand_motion.head_motion(rng, scene)


def run(
    rng: np.random.Generator,
    recipe: SceneRecipe,
    scene: SimulatedScene,
    head: hand_motion.HeadMotion,
    before_s: float,
    after_s: float,
) -> list[SimulatedVariant]:
    """Simulates every variant and keeps the states before, at and after the touch.

    Args:
        rng: Draws speeds.
        recipe: What happens.
        scene: The scene.
        head: Motion of the head.
        before_s: Time of the first picture before the touch.
        after_s: Time of the last picture after the touch.

    Raises:
        LayoutError: if a variant does not do what the recipe says; draw again.
    """
    lead = float(rng.uniform(0.018, 0.026))
    speeds = {side: _speed(rng, act) for side, act in recipe.acts.items()}
    slide = float(rng.uniform(0.12, 0.3)) * np.array([rng.choice([-1.0, 1.0]), rng.uniform(-0.6, 0.6), 0.0])
    strokes = [
        tuple(
            hand_motion.Stroke(
                plan=plan,
                speed=speeds.get(side, 0.3),
                touch_s=TOUCH_S,
                fork_s=TOUCH_S - lead,
                strikes=side == variant.striking,
                resting=side == recipe.resting,
                slide=slide if plan.act == "scrape" and side == variant.striking else None,
            )
            for side, plan in scene.layout.plans.items()
        )
        for variant in recipe.variants
    ]
    records = simulate(
        scene,
        strokes,
        lambda data, t: hand_motion.place_head(data, scene, head, t),
        STOP_S,
        [TOUCH_S - lead - before_s, TOUCH_S - lead, TOUCH_S + after_s],
    )
    return [_checked(scene, *course) for course in zip(recipe.variants, strokes, records, strict=True)]


def _speed(rng: np.random.Generator, act: str) -> float:
    return float(rng.uniform(0.15, 0.3) if act in ("put_down", "lid", "scrape") else rng.uniform(0.25, 0.9))


def _checked(
    scene: SimulatedScene, variant: Variant, strokes: tuple[hand_motion.Stroke, ...], record: PhysicsRecord
) -> SimulatedVariant:
    if variant.striking == 0:
        if record.collisions:
            raise LayoutError("a silent variant made a noise")
        if record.renewed:
            raise LayoutError("something held presses anew in a silent variant")
        return SimulatedVariant(variant=variant, strokes=strokes, record=record, collision=None, onset_s=TOUCH_S)
    if not record.collisions:
        raise LayoutError("nothing collided")
    first = record.collisions[0]
    plan = scene.layout.plans[variant.striking]
    if set(first.objects) != {plan.item, plan.target}:
        raise LayoutError("something else collided first")
    if not -_EARLIEST_S <= first.time_s - TOUCH_S <= _LATEST_S:
        raise LayoutError("the collision came at another time")
    if first.force_s - first.time_s > LABEL_TOLERANCE_S + TIMESTEP_S / 2:
        raise LayoutError("the touch did not press")
    if any(
        other.time_s - first.time_s < LABEL_TOLERANCE_S and other.impulse > first.impulse
        for other in record.collisions[1:]
    ):
        raise LayoutError("a stronger collision at the same time")
    return SimulatedVariant(variant=variant, strokes=strokes, record=record, collision=first, onset_s=first.time_s)


def materials_of(scene: SimulatedScene, collision: SimulatedCollision) -> tuple[str, ...]:
    """The distinct materials of a collision, sorted."""
    items = scene.layout.items
    return tuple(sorted({scene.table.material if i == TABLE else items[i].shape.material for i in collision.objects}))
