"""How a hand holds an object and from where it comes: grips, rotations and the straight last stretch of its way."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from training.simulation.objects.meshes import Points
from training.simulation.objects.shapes.shape import Shape
from training.simulation.scene import hands
from training.simulation.scene.table_layout import TABLE, HandPlan, Item, TableLayout


def grasp(
    rng: np.random.Generator, layout: TableLayout, side: int, act: str, index: int, target: int | None
) -> HandPlan:
    """Turns and places the held item so that one of its striking points meets the target."""
    item, other = layout.items[index], layout.plans.get(-side)
    aim, approach = aim_at(rng, layout, side, act, target, other)
    forward = aim - np.array([side * 0.30, layout.shoulders[side][1] + 0.05, aim[2]])
    bearing = float(np.arctan2(forward[1], forward[0]))
    item.rotation = _hold_upright(rng, item.shape, bearing, side, level=act in ("put_down", "lid", "drop"))
    tips = item.shape.strike_points
    tip = np.array(tips[0] if act in ("put_down", "lid", "drop", "scrape") else tips[int(rng.integers(len(tips)))])
    grip = item.rotation.apply(np.array(item.shape.grip.point))
    item.position = aim - item.rotation.apply(tip)
    wraps = item.shape.grip.kind == "wrap"
    return HandPlan(
        side=side,
        act=act,
        item=index,
        target=other.item if other is not None and other.act == "hold" else target,
        pose=item.shape.grip.kind,
        grip_radius=hands.modelled_grip_radius(item.shape.grip.radius) if wraps else 0.005,
        rotation=_hand_rotation(item, bearing, side),
        touch=item.position + grip,
        approach=approach,
    )


def above_table(layout: TableLayout, plan: HandPlan) -> bool:
    """Whether hand and object stay above the table; the object may touch it."""
    mesh, _ = hands.hand_mesh(plan.pose, plan.grip_radius)
    surface = plan.touch + plan.rotation.apply(mesh.vertices[::7] * (-plan.side, 1.0, 1.0))
    item = layout.held_in(plan)
    body = item.position + item.rotation.apply(item.shape.body.vertices[::3])
    return bool(surface[:, 2].min() > 0.004 and body[:, 2].min() > -0.006)


def aim_at(
    rng: np.random.Generator, layout: TableLayout, side: int, act: str, target: int | None, other: HandPlan | None
) -> tuple[Points, Points]:
    """Where the striking point should touch [3], and the direction from which it comes [3]."""
    if act == "hold":
        approach = np.array([-side * 1.0, rng.uniform(-0.3, 0.3), rng.uniform(-0.2, 0.2)])
        return np.array([side * 0.03, rng.uniform(-0.02, 0.12), rng.uniform(0.13, 0.22)]), approach / np.linalg.norm(
            approach
        )
    if other is not None and other.act == "hold":
        held = layout.held_in(other)
        aim = held.position + held.rotation.apply(np.array(held.shape.strike_points[0]) * 0.7)
        approach = np.array([-side * rng.uniform(0.6, 1.0), rng.uniform(-0.3, 0.3), rng.uniform(-0.7, 0.3)])
        return aim, approach / np.linalg.norm(approach)
    if target is None or target == TABLE:
        aim = np.array([side * rng.uniform(0.05, 0.2), rng.uniform(-0.08, 0.12), 0.0])
        steep = rng.uniform(0.8, 1.0) if act == "hit" else 1.0
        approach = np.array([-side * np.sqrt(1 - steep**2), 0.0, -steep])
    else:
        item = layout.items[target]
        height, radius = item.shape.height, item.shape.radius
        if act in ("lid", "drop", "put_down", "scrape"):
            spread = 0.0 if act == "lid" else 0.3 * radius
            aim = item.position + np.array([*rng.uniform(-spread, spread, 2), height])
            approach = np.array([0.0, 0.0, -1.0])
        else:
            rise = rng.uniform(0.15, 1.2)
            bearing = np.pi / 2 + side * rng.uniform(0.0, 1.5)
            approach = np.array([np.cos(bearing) * np.cos(rise), np.sin(bearing) * np.cos(rise), -np.sin(rise)])
            edge = item.position[:2] - approach[:2] * radius * rng.uniform(0.5, 1.0)
            aim = np.array([*edge, max(height * rng.uniform(0.45, 0.9), 0.008)])
    if act == "drop":
        aim[2] += rng.uniform(0.04, 0.12)
    return aim, approach / np.linalg.norm(approach)


def _hold_upright(rng: np.random.Generator, shape: Shape, bearing: float, side: int, *, level: bool) -> Rotation:
    """Rotation of a held object for a forearm that points along `bearing` (radians, from x)."""
    tilt = 0.0 if level else rng.uniform(-0.15, 0.15)
    if shape.grip.kind == "wrap" and abs(shape.grip.axis[0]) > 0.5:
        yaw = bearing + side * rng.uniform(0.7, 1.25)
        pitch = tilt if shape.name in ("pan", "lid") or level else rng.uniform(0.05, 0.5)
        roll = 0.0 if shape.name in ("pan", "lid", "ladle") else rng.uniform(-0.3, 0.3)
        return Rotation.from_euler("ZYX", [yaw, pitch, roll])
    if shape.grip.kind == "wrap":
        # The handle of a mug points to the open side of the hand.
        yaw = bearing + side * (np.pi / 2 + rng.uniform(-0.3, 0.3))
        return Rotation.from_euler("ZYX", [yaw, tilt, tilt * 0.5])
    return Rotation.from_euler("ZYX", [bearing + side * rng.uniform(0.1, 0.7), tilt, 0.5 * tilt])


def _hand_rotation(item: Item, bearing: float, side: int) -> Rotation:
    forward = np.array([np.cos(bearing), np.sin(bearing), 0.0])
    axis = item.rotation.apply(np.array(item.shape.grip.axis))
    if item.shape.grip.kind == "wrap":
        fingers = forward - axis * (forward @ axis)
        fingers /= np.linalg.norm(fingers)
        back = -side * np.cross(axis, fingers)
    else:
        fingers, back = item.rotation.apply(np.array([1.0, 0.0, 0.0])), axis
    return Rotation.from_matrix(np.stack([np.cross(fingers, back), fingers, back], 1))


def empty_hand(rng: np.random.Generator, side: int) -> HandPlan:
    """A hand that rests on the table or above it."""
    spot = np.array([side * rng.uniform(0.2, 0.32), rng.uniform(-0.18, -0.05), rng.uniform(0.004, 0.05)])
    bearing = np.pi / 2 + side * rng.uniform(0.1, 0.6)
    return HandPlan(
        side=side, act="hold", item=None, target=None, pose="rest", grip_radius=0.0,
        rotation=Rotation.from_euler("ZX", [bearing - np.pi / 2, rng.uniform(-0.1, 0.25)]),
        touch=spot, approach=np.array([0.0, 0.0, -1.0]),
    )  # fmt: skip
