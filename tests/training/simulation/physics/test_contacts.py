"""Variants that share the beginning of a simulation do what each does alone."""

from __future__ import annotations

import numpy as np

from training.simulation.physics.contacts import _NO_PAIR, _pair_numbers
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


def test_each_part_of_a_rocking_object_touches_for_itself():
    """Geoms 0 to 3 are of objects 0, 0, 1 and 1, of which 1 rocks on 0."""
    numbers = _pair_numbers(np.array([0, 0, 1, 1]), {1})
    assert numbers[0, 2] == numbers[1, 2] == numbers[2, 1] != numbers[0, 3]
    assert numbers[2, 3] == numbers[0, 1] == _NO_PAIR
    rigid = _pair_numbers(np.array([0, 0, 1, 1]), frozenset())
    assert rigid[0, 2] == rigid[0, 3] == rigid[1, 3]
