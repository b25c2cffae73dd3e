"""What the hands do in a clip: one strike after another, on targets drawn as they go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from training.simulation.objects.meshes import Points
from training.simulation.physics import hand_motion
from training.simulation.physics.arm_motion import check_view
from training.simulation.physics.hand_motion import HeadMotion, Stroke
from training.simulation.physics.record import PhysicsRecord, SceneState
from training.simulation.physics.simulation import Simulation
from training.simulation.scene.grasp import aim_at
from training.simulation.scene.mujoco_model import TIMESTEP_S
from training.simulation.scene.reach import check_arms
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import LayoutError

LEAD_IN_S = hand_motion.SETTLE_S
"""The clip begins when the table has settled."""
_TRAVEL_S, _AFTER_STROKE_S = 0.45, 0.30


class _Wandering:
    """The path of one hand through a clip: strokes, with travel between them."""

    def __init__(self, start: Points) -> None:
        self._from, self._to, self._since = start, start, -1.0
        self.stroke: Stroke | None = None

    def travel(self, t: float, to: Points) -> None:
        """Moves to `to` within `_TRAVEL_S` from now on."""
        self._from, self._to, self._since, self.stroke = self.position(t), to, t, None

    def position(self, t: float) -> Points:
        if self.stroke is not None:
            return self.stroke.position(t)
        share = float(np.clip((t - self._since) / _TRAVEL_S, 0.0, 1.0))
        ease = share * share * (3.0 - 2.0 * share)
        lift = 0.04 * np.sin(np.pi * share) * min(1.0, float(np.linalg.norm(self._to - self._from)) / 0.1)
        return self._from + (self._to - self._from) * ease + np.array([0.0, 0.0, lift])


def perform(
    rng: np.random.Generator, scene: SimulatedScene, head: HeadMotion, frame_times: Points
) -> tuple[PhysicsRecord, list[tuple[Stroke, ...]]]:
    """Runs the physics.

    Args:
        rng: Decides who hits what and when.
        scene: The scene.
        head: Motion of the head.
        frame_times: When the pictures are taken, seconds on the clock of the simulation, ascending.

    Returns:
        What happened and, for each frame, the strokes under way.
    """
    plans = scene.layout.plans
    hands = {
        side: _Wandering(p.touch if p.item is None else p.touch - p.approach * hand_motion.STANDOFF_M)
        for side, p in plans.items()
    }
    run = Simulation(scene)
    run.start({side: hand.position(0.0) for side, hand in hands.items()})
    states: list[SceneState] = []
    under_way: list[tuple[Stroke, ...]] = []
    side, strike_s, ready = _next(rng, LEAD_IN_S + 0.3, None), LEAD_IN_S + float(rng.uniform(0.9, 1.4)), False
    while len(states) < len(frame_times):
        t = run.time_s
        if t >= frame_times[len(states)] - TIMESTEP_S / 2:
            hand_motion.place_head(run.data, scene, head, t)
            states.append(run.state())
            under_way.append(tuple(hand.stroke for hand in hands.values() if hand.stroke is not None))
        if not ready and t >= strike_s - 0.75:
            ready = True
            if _choose_target(rng, scene, side, run.data):
                hands[side].travel(t, plans[side].touch - plans[side].approach * hand_motion.STANDOFF_M)
        if ready and hands[side].stroke is None and t >= strike_s - 0.27:
            speed = float(rng.uniform(0.35, 0.9))
            hands[side].stroke = Stroke(
                plan=replace(plans[side]), speed=speed, touch_s=strike_s, fork_s=np.inf, strikes=True
            )
        if ready and t >= strike_s + _AFTER_STROKE_S:
            hands[side].travel(t, plans[side].touch - plans[side].approach * hand_motion.STANDOFF_M)
            side, ready = _next(rng, t, side), False
            strike_s = t + float(rng.uniform(0.9, 1.9))
        run.step({which: hand.position(t) for which, hand in hands.items()})
    return run.record(states), under_way


def _next(rng: np.random.Generator, t: float, last: int | None) -> int:
    return int(rng.choice([-1, 1])) if last is None or rng.random() < 0.4 else -last


def _choose_target(rng: np.random.Generator, scene: SimulatedScene, side: int, data: Any) -> bool:
    """Aims a hand at an object near it that it can reach from where everything is now; False leaves it as it was."""
    plan, layout = scene.layout.plans[side], scene.layout
    held = {other.item for other in layout.plans.values()}
    before = replace(plan)
    tips = layout.held_in(plan).shape.strike_points
    for index in range(len(layout.items)):  # where each is now
        body = scene.model.body(f"item{index}").id if index not in held else None
        if body is not None:
            layout.items[index].position = data.xpos[body].copy()
    spots = {i: item.position for i, item in enumerate(layout.items) if i not in held}
    near = [i for i, (x, y, _) in spots.items() if abs(x - side * 0.12) < 0.14 and -0.15 < y < 0.26]
    for _ in range(12):
        target = int(rng.choice(near)) if near and rng.random() < 0.8 else before.target
        aim, plan.approach = aim_at(rng, layout, side, "hit", target, None)
        item = layout.held_in(plan)
        tip = np.array(tips[int(rng.integers(len(tips)))]) - np.array(item.shape.grip.point)
        plan.target, plan.touch = target, aim - item.rotation.apply(tip)
        if side * plan.touch[0] < 0.03 or plan.touch[2] < 0.03:
            continue
        try:
            hand_motion.find_touch(scene, side, data)
            check_arms(layout)
            _check_view(scene, side)
            return True
        except LayoutError:
            continue
    plan.target, plan.touch, plan.approach = before.target, before.touch, before.approach
    return False


def check_views(scene: SimulatedScene) -> None:
    """Raises a LayoutError if an arm would come near to the camera on its way to its first touch."""
    for side in scene.layout.plans:
        _check_view(scene, side)


def _check_view(scene: SimulatedScene, side: int) -> None:
    """Raises a LayoutError if an arm would come near to the camera on its way to the touch."""
    plan = scene.layout.plans[side]
    for distance in (0.0, hand_motion.STANDOFF_M):
        check_view(scene, side, plan.touch - plan.approach * distance)
