"""Checks labels against the physics and the sound, by other means than those that made them.

The labels come from relative velocities (`contacts`); the check runs the same strokes again and integrates the contact
forces that MuJoCo reports between the labelled objects.
"""

from __future__ import annotations

import mujoco
import numpy as np

from training.world.builder import TIMESTEP_S
from training.world.contacts import MIN_IMPULSE, Simulation
from training.world.events import LABEL_TOLERANCE_S, STOP_S, Outcome
from training.world.scene import Scene
from training.world.script import SETTLE_S, release_s
from training.world.soundscape import Sound, audible_onset_s

_IMPULSE_S = 0.015


def label_violations(scene: Scene, outcome: Outcome) -> list[str]:
    """What is wrong with the label of a variant, in sentences; empty if nothing."""
    if outcome.collision is None:
        return []
    forces = _forces(scene, outcome)
    label = outcome.collision
    labelled = forces.get(label.objects, np.zeros(round(STOP_S / TIMESTEP_S)))
    onset_step = round(label.time_s / TIMESTEP_S)
    tolerance = round(LABEL_TOLERANCE_S / TIMESTEP_S)
    problems = []
    touching = np.flatnonzero(labelled[onset_step - 20 : onset_step + 20] > 0.0)
    if len(touching) == 0 or abs(int(touching[0]) - 20) > tolerance:
        problems.append(
            f"objects {label.objects} do not begin to press on each other within 5 ms of {label.time_s:.3f} s"
        )
    impulse = labelled[onset_step : onset_step + round(_IMPULSE_S / TIMESTEP_S)].sum() * TIMESTEP_S
    if impulse < MIN_IMPULSE:
        problems.append(f"the force between objects {label.objects} adds up to {impulse:.2e} N s only")
    held = scene.layout.plans[outcome.variant.striking].item
    for pair, force in forces.items():
        strange = held in pair and pair != label.objects
        if strange and force[round(SETTLE_S / TIMESTEP_S) : onset_step - tolerance].any():
            problems.append(f"objects {pair} press on each other before the label")
    return problems


def sound_violations(clean: Sound, onset_s: float, rate_hz: int) -> list[str]:
    """What is wrong with the onset of a clean sound, in sentences; empty if nothing."""
    heard_s = audible_onset_s(clean, onset_s, rate_hz)
    if heard_s is None:
        return [f"nothing can be heard to begin near {onset_s:.3f} s"]
    if abs(heard_s - onset_s) > LABEL_TOLERANCE_S:
        return [f"the sound begins at {heard_s:.4f} s and not at {onset_s:.4f} s"]
    return []


def _forces(scene: Scene, outcome: Outcome) -> dict[tuple[int, int], Sound]:
    """Normal force between each two objects at every time step, newtons."""
    run = Simulation(scene)
    run.start({stroke.plan.side: stroke.position(0.0) for stroke in outcome.strokes})
    forces: dict[tuple[int, int], Sound] = {}
    wrench = np.zeros(6)
    for step in range(round(STOP_S / TIMESTEP_S)):
        for stroke in outcome.strokes:
            if stroke.plan.act == "drop" and stroke.strikes and run.time_s >= release_s(scene, stroke):
                run.open_hand(stroke.plan.side)
        run.step({stroke.plan.side: stroke.position(run.time_s) for stroke in outcome.strokes})
        for number in range(run.data.ncon):
            pair = tuple(sorted(scene.object_of_geom[run.data.contact[number].geom].tolist()))
            if pair[0] == pair[1]:
                continue
            mujoco.mj_contactForce(scene.model, run.data, number, wrench)
            forces.setdefault(pair, np.zeros(round(STOP_S / TIMESTEP_S)))[step] += max(wrench[0], 0.0)
    return forces
