"""Checks labels against the physics, the shapes and the sound, by other means than those that made them.

The labels come from relative velocities (`contacts`); the check runs the same strokes again, integrates the contact
forces that MuJoCo reports between the labelled objects, and measures how far the contact is from what is seen of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from training.simulation.objects.meshes import Points
from training.simulation.physics.contacts import MIN_IMPULSE
from training.simulation.physics.hand_motion import SETTLE_S, release_s
from training.simulation.physics.simulation import Simulation
from training.simulation.physics.variants import LABEL_TOLERANCE_S, STOP_S, SimulatedVariant
from training.simulation.scene.mujoco_model import HIDDEN, TIMESTEP_S
from training.simulation.scene.scene import SimulatedScene
from training.simulation.sound.modes import Sound
from training.simulation.sound.soundscape import audible_onset_s

MAX_SURFACE_M = 0.02
"""What is seen of an object may be this far from what it collides with."""
_IMPULSE_S = 0.015
_APART_S = 0.02
"""Objects that did not press for so long press anew."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rerun:
    """What a second run of a variant shows."""

    forces: dict[tuple[int, int], Sound]
    """Normal force between each two objects that meet at every time step, newtons."""
    surfaces_m: tuple[float, ...]
    """Distance from the labelled contact to the visible surface of each labelled object at that time."""


def rerun(scene: SimulatedScene, outcome: SimulatedVariant) -> Rerun:
    """Simulates a variant again and watches forces and surfaces."""
    run = Simulation(scene)
    run.start({stroke.plan.side: stroke.position(0.0) for stroke in outcome.strokes})
    num_steps = round(STOP_S / TIMESTEP_S)
    label = outcome.collision
    onset_step = None if label is None else round(label.time_s / TIMESTEP_S)
    forces: dict[tuple[int, int], Sound] = {}
    surfaces_m: tuple[float, ...] = ()
    wrench = np.zeros(6)
    for step in range(num_steps):
        for stroke in outcome.strokes:
            if stroke.plan.act == "drop" and stroke.strikes and run.time_s >= release_s(scene, stroke):
                run.open_hand(stroke.plan.side)
        run.step({stroke.plan.side: stroke.position(run.time_s) for stroke in outcome.strokes})
        for number in range(run.data.ncon):
            pair = tuple(sorted(scene.object_of_geom[run.data.contact[number].geom].tolist()))
            if pair[0] == pair[1]:
                continue
            mujoco.mj_contactForce(scene.model, run.data, number, wrench)
            forces.setdefault(pair, np.zeros(num_steps))[step] += max(wrench[0], 0.0)
        if label is not None and step == onset_step:
            surfaces_m = tuple(_surface_m(scene, run.data, index, label.point) for index in label.objects)
    return Rerun(forces=forces, surfaces_m=surfaces_m)


def label_violations(scene: SimulatedScene, outcome: SimulatedVariant, seen: Rerun) -> list[str]:
    """What is wrong with the label of a variant, in sentences; empty if nothing."""
    label = outcome.collision
    if label is None:
        return _silence_violations(scene, seen)
    labelled = seen.forces.get(label.objects, np.zeros(round(STOP_S / TIMESTEP_S)))
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
    for pair, force in seen.forces.items():
        strange = held in pair and pair != label.objects
        if strange and force[round(SETTLE_S / TIMESTEP_S) : onset_step - tolerance].any():
            problems.append(f"objects {pair} press on each other before the label")
    for index, distance_m in zip(label.objects, seen.surfaces_m, strict=True):
        if distance_m > MAX_SURFACE_M:
            problems.append(f"the contact is {distance_m * 1000:.0f} mm away from what is seen of object {index}")
    return problems


def _silence_violations(scene: SimulatedScene, seen: Rerun) -> list[str]:
    """What hands hold begins to press on nothing once all has settled."""
    held = {plan.item for plan in scene.layout.plans.values() if plan.item is not None}
    settled, apart = round(SETTLE_S / TIMESTEP_S), round(_APART_S / TIMESTEP_S)
    problems = []
    for pair, force in seen.forces.items():
        pressing = np.flatnonzero(force > 0.0)
        begins = pressing[np.diff(pressing, prepend=-apart - 1) > apart]
        for step in begins[begins > settled] if held & set(pair) else ():
            impulse = force[step : step + round(_IMPULSE_S / TIMESTEP_S)].sum() * TIMESTEP_S
            if impulse >= MIN_IMPULSE:
                problems.append(
                    f"objects {pair} press on each other from {step * TIMESTEP_S:.3f} s on ({impulse:.1e} N s)"
                )
    return problems


def sound_violations(clean: Sound, onset_s: float, rate_hz: int, later_s: Sequence[float] = ()) -> list[str]:
    """What is wrong with the onset of a clean sound, in sentences; empty if nothing.

    Args:
        clean: The sound without background.
        onset_s: When it should begin, and rise most steeply.
        rate_hz: Its sample rate.
        later_s: Touches that follow; one of them may be the louder.
    """
    heard_s = audible_onset_s(clean, onset_s, rate_hz)
    if heard_s is None:
        return [f"nothing can be heard to begin near {onset_s:.3f} s"]
    problems = []
    if abs(heard_s - onset_s) > LABEL_TOLERANCE_S:
        problems.append(f"the sound begins at {heard_s:.4f} s and not at {onset_s:.4f} s")
    rise_s = steepest_rise_s(clean, onset_s, rate_hz)
    if min(abs(rise_s - time_s) for time_s in (onset_s, *later_s)) > LABEL_TOLERANCE_S:
        problems.append(f"the sound rises at {rise_s:.4f} s, where nothing touches, and not at {onset_s:.4f} s")
    return problems


def steepest_rise_s(clean: Sound, near_s: float, rate_hz: int) -> float:
    """When, within 20 ms of a time, the power of the 2 ms that follow exceeds most that of the 2 ms before."""
    span, search = round(0.002 * rate_hz), round(0.02 * rate_hz)
    total = np.concatenate([[0.0], np.cumsum(np.asarray(clean, np.float64) ** 2)])
    moments = np.clip(round(near_s * rate_hz) + np.arange(-search, search + 1), span, len(clean) - span)
    before, after = total[moments] - total[moments - span], total[moments + span] - total[moments]
    return float(moments[np.argmax(after / (before + 1e-3 * after.max() + 1e-30))] / rate_hz)


def _surface_m(scene: SimulatedScene, data: Any, index: int, point: Sequence[float]) -> float:
    """Distance from a point to the nearest visible triangle of an object."""
    nearest = np.inf
    model = scene.model
    for geom in np.flatnonzero(scene.object_of_geom == index):
        mesh = model.geom_dataid[geom]
        if mesh < 0 or model.geom_group[geom] == HIDDEN:
            continue
        first, start = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
        vertices = model.mesh_vert[first : first + model.mesh_vertnum[mesh]]
        faces = model.mesh_face[start : start + model.mesh_facenum[mesh]]
        local = (np.asarray(point) - data.geom_xpos[geom]) @ data.geom_xmat[geom].reshape(3, 3)
        nearest = min(nearest, triangle_distance(vertices[faces].astype(np.float64), local))
    return nearest


def triangle_distance(triangles: Points, point: Points) -> float:
    """Distance from a point [3] to the nearest of triangles [F, 3, 3], by their edges and their insides."""
    starts, edges = triangles, np.roll(triangles, -1, 1) - triangles
    towards = point - starts
    along = np.clip((towards * edges).sum(2) / np.maximum((edges**2).sum(2), 1e-18), 0.0, 1.0)
    nearest = np.linalg.norm(towards - along[..., None] * edges, axis=2).min()
    normals = np.cross(edges[:, 0], edges[:, 1])
    area = np.linalg.norm(normals, axis=1)
    left = (np.cross(edges, towards) * normals[:, None]).sum(2)
    inside = (left >= 0.0).all(1) & (area > 1e-12)
    heights = np.abs((towards[inside, 0] * normals[inside]).sum(1)) / area[inside]
    return float(min(nearest, heights.min(initial=np.inf)))
