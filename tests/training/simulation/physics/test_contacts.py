"""Variants that share the beginning of a simulation do what each does alone."""

from __future__ import annotations

import numpy as np

from training.simulation.physics.hand_motion import release_s
from training.simulation.physics.record import PhysicsRecord
from training.simulation.physics.simulation import Simulation
from training.simulation.physics.variants import STOP_S, SimulatedVariant
from training.simulation.scene.mujoco_model import TIMESTEP_S
from training.simulation.scene.scene import SimulatedScene


def simulated_alone(scene: SimulatedScene, outcome: SimulatedVariant) -> PhysicsRecord:
    """What a variant does from its own start."""
    strokes = outcome.strokes
    run = Simulation(scene, {stroke.plan.item for stroke in strokes if stroke.slide is not None})
    run.start({stroke.plan.side: stroke.position(0.0) for stroke in strokes})
    for _ in range(round(STOP_S / TIMESTEP_S)):
        for stroke in strokes:
            if stroke.plan.act == "drop" and stroke.strikes and run.time_s >= release_s(scene, stroke):
                run.open_hand(stroke.plan.side)
        run.step({stroke.plan.side: stroke.position(run.time_s) for stroke in strokes})
    return run.record([])


def test_variants_do_what_each_does_alone(outcomes):
    for scene, variants in outcomes:
        for outcome in variants:
            alone = simulated_alone(scene, outcome)
            assert outcome.record.collisions == alone.collisions
            assert outcome.record.renewed == alone.renewed


def test_only_the_variant_that_scrapes_has_friction(outcomes):
    scene, (scrape, hit) = next(made for made in outcomes if made[1][0].variant.scenario == "scrape")
    (alone,) = simulated_alone(scene, scrape).frictions
    (shared,) = scrape.record.frictions
    assert np.array_equal(shared.sliding_speed, alone.sliding_speed)
    assert shared.sliding_speed.max() > 0.05
    assert hit.record.frictions == ()
