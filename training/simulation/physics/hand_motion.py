"""Moves hands and head: what each hand does in one variant of a scene, and where it is at every moment.

All variants of a scene follow the same paths until `Script.fork_s`, so their pictures up to then are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from training.simulation.objects.meshes import Points
from training.simulation.scene.mujoco_model import WELD_S, quaternion
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import TABLE, HandPlan, LayoutError

STANDOFF_M = 0.09
"""How far from the touch a hand waits."""
SETTLE_S = 0.12
"""Time for the table to come to rest."""
_GRAVITY = 9.81
_LAG_S = 2.0 * WELD_S
"""A hand follows its path this much later."""
_SWEEP_M = (-0.10, 0.09)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stroke:
    """The motion of one hand in one variant.

    Attributes are distances along the approach, negative before the touch.
    """

    plan: HandPlan
    speed: float
    """Metres per second."""
    touch_s: float
    """When the objects touch."""
    fork_s: float
    """Time from which on the variants differ."""
    strikes: bool
    """False: the hand stops short after the fork."""
    resting: bool = False
    """True: its objects touched long before and stay so, silently."""
    slide: Points | None = None
    """Velocity [3] along the surface after the touch, for a scrape."""

    def distance(self, t: float) -> float:
        """Signed distance to the touch, metres, that the path asks for at time `t`."""
        if self.plan.act == "hold":
            return -0.001 if self.strikes else 0.0
        if self.resting:
            return min(0.0015, -0.02 + 0.2 * t)
        ahead = self.touch_s - _LAG_S - t
        if t >= self.fork_s and not self.strikes and self.plan.act != "drop":
            return self._stopping(t)
        if self.plan.act == "drop":
            return -0.25 * max(t - self.touch_s, 0.0)
        if ahead >= 0.0:
            return -min(self.speed * ahead, STANDOFF_M)
        depth = 0.012 if self.plan.act == "hit" else 0.003
        into = min(-ahead * self.speed, depth)
        if self.slide is not None:
            return into
        back = max(-ahead - depth / self.speed - 0.02, 0.0)
        return into - min(0.35 * back, 0.06) * (self.plan.act == "hit")

    def _stopping(self, t: float) -> float:
        """Halts evenly on the rest of the way, waits, and retreats."""
        left = self.touch_s - _LAG_S - self.fork_s
        since = min(t - self.fork_s, left)
        halt = -self.speed * (left - since + since**2 / (2.0 * left))
        return halt - 0.3 * max(t - self.fork_s - 0.1, 0.0) ** 2

    def position(self, t: float) -> Points:
        """Where the path wants the hand's origin at time `t`, world [3]."""
        place = self.plan.touch + self.plan.approach * self.distance(t)
        if self.slide is not None and self.strikes:
            moving = np.clip(t - self.touch_s - 0.01, 0.0, 0.35)
            place = place + self.slide * moving
        return place


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadMotion:
    """Slow drift and small tremor of the head."""

    rest_position: Points
    rest_rotation: Rotation
    amplitude: Points
    """[2, 6]: metres and radians of drift and tremor along and about x, y, z."""
    frequency_hz: Points
    """[2, 6]."""
    phase: Points
    """[2, 6]."""

    def pose(self, t: float) -> tuple[Points, Rotation]:
        """Position [3] and rotation of the camera at time `t`."""
        sway = (self.amplitude * np.sin(2 * np.pi * self.frequency_hz * t + self.phase)).sum(0)
        return self.rest_position + sway[:3], self.rest_rotation * Rotation.from_rotvec(sway[3:])


def head_motion(rng: np.random.Generator, scene: SimulatedScene) -> HeadMotion:
    """Draws the motion of the head."""
    calm = rng.uniform(0.2, 1.0)
    scale = np.array([[0.010] * 3 + [0.020] * 3, [0.0012] * 3 + [0.003] * 3])
    return HeadMotion(
        rest_position=scene.camera.position,
        rest_rotation=scene.camera.rotation,
        amplitude=scale * rng.uniform(0.2, 1.0, (2, 6)) * calm,
        frequency_hz=np.array([[0.6], [4.0]]) * rng.uniform(0.6, 1.6, (2, 6)),
        phase=rng.uniform(0, 2 * np.pi, (2, 6)),
    )


def set_hand(scene: SimulatedScene, data: Any, side: int, position: Points) -> None:
    """Puts a hand, and what it holds by a weld, at `position` at once."""
    letter = "LR"[side > 0]
    model, plan = scene.model, scene.layout.plans[side]
    data.mocap_pos[model.body(f"path{letter}").mocapid[0]] = position
    address = model.jnt_qposadr[model.body(f"hand{letter}").jntadr[0]]
    data.qpos[address : address + 3] = position
    if plan.act == "drop":
        item = scene.layout.held_in(plan)
        address = model.jnt_qposadr[model.body(f"item{plan.item}").jntadr[0]]
        data.qpos[address : address + 3] = position + item.position - plan.touch


def find_touch(scene: SimulatedScene, side: int, now: Any = None) -> None:
    """Corrects the plan of a hand so that its origin is at `HandPlan.touch` when its object first touches the target.

    Args:
        scene: The scene.
        side: Which hand.
        now: State from which to look, unchanged; None for the beginning.

    Raises:
        LayoutError: if it touches nothing on its way, or something else.
    """
    plan = scene.layout.plans[side]
    if plan.act == "drop":
        _check_target_below(scene, plan)
        return
    data = mujoco.MjData(scene.model)
    if now is None:
        for other in scene.layout.plans.values():
            set_hand(
                scene, data, other.side, other.touch if other.act == "hold" else other.touch - other.approach * 0.12
            )
    else:
        data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = now.qpos, now.mocap_pos, now.mocap_quat
    start, stop = _SWEEP_M
    step = 0.002
    for distance in np.arange(start, stop, step):
        touched = _touched(scene, data, plan, distance)
        if touched:
            break
    else:
        raise LayoutError("the hand misses")
    if distance == start or touched != {plan.target}:
        raise LayoutError("something else is in the way")
    for fine in np.arange(distance - step, distance + 1e-9, step / 8):
        if _touched(scene, data, plan, fine):
            break
    shift = plan.approach * (fine - step / 16)
    plan.touch = plan.touch + shift
    if now is None:
        item = scene.layout.held_in(plan)
        item.position = item.position + shift


def _touched(scene: SimulatedScene, data: Any, plan: HandPlan, distance: float) -> set[int]:
    set_hand(scene, data, plan.side, plan.touch + plan.approach * distance)
    mujoco.mj_kinematics(scene.model, data)
    mujoco.mj_collision(scene.model, data)
    pairs = scene.object_of_geom[data.contact.geom]
    depth = data.contact.dist < 0.0
    mine = (pairs == plan.item).any(1) & (pairs[:, 0] != pairs[:, 1]) & depth
    return set(np.where(pairs[mine, 0] == plan.item, pairs[mine, 1], pairs[mine, 0]).tolist())


def _check_target_below(scene: SimulatedScene, plan: HandPlan) -> None:
    item = scene.layout.held_in(plan)
    if plan.target is None or item.position[2] < 0.02:
        raise LayoutError("nothing to drop on")


def release_s(scene: SimulatedScene, stroke: Stroke) -> float:
    """When a dropping hand opens, so that its object arrives at `Stroke.touch_s`."""
    item = scene.layout.held_in(stroke.plan)
    target = stroke.plan.target
    ground = 0.0 if target is None or target == TABLE else scene.layout.items[target].shape.height
    fall = max(item.position[2] - ground, 0.005)
    return stroke.touch_s - float(np.sqrt(2.0 * fall / _GRAVITY))


def parting_s(scene: SimulatedScene, stroke: Stroke) -> float:
    """Until when the stroke of a hand is the same in all variants of a scene."""
    return min(stroke.fork_s, release_s(scene, stroke)) if stroke.plan.act == "drop" else stroke.fork_s


def place_head(data: Any, scene: SimulatedScene, motion: HeadMotion, t: float) -> None:
    """Moves the camera to where it is at time `t`."""
    position, rotation = motion.pose(t)
    mocap = scene.model.body("head").mocapid[0]
    data.mocap_pos[mocap], data.mocap_quat[mocap] = position, quaternion(rotation)
