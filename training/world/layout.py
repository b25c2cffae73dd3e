"""Decides what lies on the table, what the hands hold, and what each hand is about to hit.

World axes: x to the right, y away from the wearer, z up, the table top at z = 0. Sides: -1 left, +1 right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from training.world import arms, hands
from training.world.appearance import Finish, ambiguous, finish_of, handle_finish
from training.world.levels import Level
from training.world.materials import MATERIALS
from training.world.meshes import Points
from training.world.shapes import (
    CLASSES,
    FACETED_SEGMENTS,
    HOLDABLE,
    ROUND_SEGMENTS,
    Shape,
    build_shape,
    classes_of,
    vessels,
)

TABLE = -1
"""Index that stands for the table top where objects are numbered."""

ACTS = ("hit", "put_down", "drop", "lid", "scrape", "hold")
"""What a hand may be about to do; ``hold`` keeps its object still in the air, for the other hand to hit."""

HELD_OUT_PAIRS = frozenset(frozenset(pair) for pair in (("glass", "wood"), ("ceramic", "plastic"), ("metal", "paper")))
"""Materials that never collide with each other outside the held-out test."""


class LayoutError(Exception):
    """This draw does not fit on the table; the generator draws again."""


@dataclass(kw_only=True, slots=True, eq=False)
class Item:
    """One object in its place."""

    shape: Shape
    finish: Finish
    handle: Finish
    position: Points
    """Of its origin, world [3]; for a held object at the moment of the nominal touch."""
    rotation: Rotation
    part_of: int | None = None
    """Index of the object whose mask it shares (the lid of a pot)."""


@dataclass(kw_only=True, slots=True, eq=False)
class HandPlan:
    """One hand, what it holds and the straight last stretch of its way."""

    side: int
    act: str
    item: int | None
    """Index of the object it holds; None for an empty hand."""
    target: int | None
    """Index of what it is about to touch, `TABLE`, or None."""
    pose: str
    """Pose of the hand, see `hands.hand_mesh`."""
    grip_radius: float
    rotation: Rotation
    """Of the hand's own frame."""
    touch: Points
    """World position [3] of the hand's origin when the objects touch (nominal until `script.find_touch`)."""
    approach: Points
    """Unit vector of the last stretch [3]."""


@dataclass(kw_only=True, slots=True, eq=False)
class Layout:
    """Everything of a scene but the room."""

    items: list[Item] = field(default_factory=list)
    plans: dict[int, HandPlan] = field(default_factory=dict)
    """By side."""
    shoulders: dict[int, Points] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a scene must contain."""

    level: Level
    acts: dict[int, str]
    """Act of each hand by side; a missing side has an empty hand or none."""
    twins: bool = False
    """Whether the two targets are of one shape and different materials."""
    held_out: bool = False
    """Whether to use held-out shapes, finishes and material pairs."""
    distinct_materials: bool = False
    """Whether the two possible collisions must differ in their set of materials."""


def lay_out(rng: np.random.Generator, request: Request) -> Layout:
    """Draws a layout.

    Raises:
        LayoutError: if this draw does not fit; draw again.
    """
    layout = Layout()
    shoulder_y, shoulder_z = rng.uniform(-0.62, -0.54), rng.uniform(0.28, 0.38)
    for side in (-1, 1):
        layout.shoulders[side] = np.array([side * rng.uniform(0.19, 0.24), shoulder_y, shoulder_z])
    targets = _place_targets(rng, request, layout)
    for side in sorted(request.acts, key=lambda side: request.acts[side] != "hold"):
        _fill_hand(rng, request, layout, side, targets)
    _check_pairs(request, layout)
    for side in (-1, 1):
        if side not in layout.plans and rng.random() < 0.6:
            layout.plans[side] = _empty_hand(rng, layout, side)
    check_arms(layout)
    _add_clutter(rng, request, layout)
    return layout


def draw_kind(rng: np.random.Generator, names: tuple[str, ...], material: str | None = None) -> tuple[str, str]:
    """Draws what an object is and is made of.

    The material comes first: metal things come in so many classes that drawing the class first would make most of them
    metal.

    Args:
        rng: Source of chance.
        names: Classes to choose from.
        material: The material, if it is settled.

    Returns:
        Class and material.

    Raises:
        LayoutError: if none of `names` is made of `material`.
    """
    materials = [m for m in MATERIALS if classes_of(m, names)]
    if material is None:
        weights = np.array([0.5 if m == "cloth" else 1.0 for m in materials])
        material = materials[int(rng.choice(len(materials), p=weights / weights.sum()))]
    choices = classes_of(material, names)
    if not choices:
        raise LayoutError(f"none of {names} is made of {material}")
    return choices[int(rng.integers(len(choices)))], material


def _draw_item(rng: np.random.Generator, request: Request, names: tuple[str, ...], material: str | None = None) -> Item:
    name, material = draw_kind(rng, names, material)
    segments = FACETED_SEGMENTS if request.held_out and rng.random() < 0.6 else ROUND_SEGMENTS
    shape = build_shape(rng, name, material, segments=segments)
    finish = finish_of(rng, material, name, ambiguity=request.level.ambiguity, held_out=request.held_out)
    return Item(
        shape=shape,
        finish=finish,
        handle=handle_finish(rng, finish),
        position=np.zeros(3),
        rotation=Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)),
    )


TARGETS = tuple(name for name in CLASSES if name not in ("lid", "fork"))
"""Classes that a hand may hit or drop things on."""
FLAT_TARGETS = ("board", "plate", "tray", "pan")
"""Classes on which things are put down or scraped."""


def _place_targets(rng: np.random.Generator, request: Request, layout: Layout) -> dict[int, int]:
    """Puts what the hands will hit in front of each of them; returns the index by side."""
    targets: dict[int, int] = {}
    twin: Item | None = None
    for side, act in request.acts.items():
        on_table = (act == "put_down" and rng.random() < 0.6) or (act in ("drop", "scrape") and rng.random() < 0.4)
        if act == "hold" or "hold" in request.acts.values():
            continue
        if on_table or (act == "hit" and not (request.twins or request.distinct_materials) and rng.random() < 0.06):
            targets[side] = TABLE
            continue
        if act == "lid":
            item = _draw_item(rng, request, ("pot",))
        elif act == "scrape" or act == "put_down":
            item = _draw_item(rng, request, FLAT_TARGETS)
        elif request.twins and twin is not None:
            item = _twin_of(rng, request, twin)
        else:
            names = tuple(n for n in TARGETS if len(CLASSES[n][1]) > 1) if request.twins else TARGETS
            item = twin = _draw_item(rng, request, names)
        for _ in range(20):
            item.position = np.array([side * rng.uniform(0.05, 0.22), rng.uniform(-0.08, 0.18), 0.0005])
            if all(_gap(item, other) > 0.02 for other in layout.items):
                break
        else:
            raise LayoutError("the targets are too large")
        targets[side] = len(layout.items)
        layout.items.append(item)
    return targets


def _twin_of(rng: np.random.Generator, request: Request, first: Item) -> Item:
    """The same shape in another material: alike in colour half of the time, else told apart by its finish."""
    materials = [m for m in CLASSES[first.shape.name][1] if m != first.shape.material]
    material = materials[int(rng.integers(len(materials)))]
    proportions = int(rng.integers(2**31))
    shapes = [
        build_shape(np.random.default_rng(proportions), first.shape.name, m) for m in (first.shape.material, material)
    ]
    first.shape = shapes[0]
    if rng.random() < 0.5:
        finish = first.finish = ambiguous(rng)
    else:
        finish = finish_of(rng, material, first.shape.name, ambiguity=0.0)
    return Item(
        shape=shapes[1], finish=finish, handle=handle_finish(rng, finish), position=np.zeros(3), rotation=first.rotation
    )


def _gap(a: Item, b: Item) -> float:
    return float(np.hypot(*(a.position[:2] - b.position[:2])) - a.shape.radius - b.shape.radius)


def _fill_hand(rng: np.random.Generator, request: Request, layout: Layout, side: int, targets: dict[int, int]) -> None:
    act = request.acts[side]
    target = targets.get(side)
    names = HOLDABLE
    if act == "lid":
        pot = layout.items[targets[side]].shape
        material = (
            "metal"
            if pot.material == "metal" and rng.random() < 0.6
            else ("glass" if pot.material == "metal" else "ceramic")
        )
        shape = vessels.lid(rng, material, ROUND_SEGMENTS, radius=pot.radius - 0.03 + 0.001)
        finish = finish_of(rng, material, "lid", ambiguity=0.0)
        item = Item(
            shape=shape,
            finish=finish,
            handle=handle_finish(rng, finish),
            position=np.zeros(3),
            rotation=Rotation.identity(),
            part_of=target,
        )
    else:
        if act == "scrape":
            names = ("spoon", "fork", "knife", "spatula", "ladle")
        elif act in ("drop", "put_down"):
            names = tuple(n for n in HOLDABLE if n not in ("pan", "lid"))
        item = _draw_item(rng, request, names)
        for _ in range(30):
            if _pair_allowed(request, layout, item, target):
                break
            item = _draw_item(rng, request, names)
    index = len(layout.items)
    layout.items.append(item)
    for _ in range(12):
        plan = layout.plans[side] = _grasp(rng, layout, side, act, index, target)
        if _above_table(layout, plan):
            return
    raise LayoutError("the hand would dip into the table")


def _grasp(rng: np.random.Generator, layout: Layout, side: int, act: str, index: int, target: int | None) -> HandPlan:
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


def _above_table(layout: Layout, plan: HandPlan) -> bool:
    """Whether hand and object stay above the table; the object may touch it."""
    mesh, _ = hands.hand_mesh(plan.pose, plan.grip_radius)
    surface = plan.touch + plan.rotation.apply(mesh.vertices[::7] * (-plan.side, 1.0, 1.0))
    item = layout.items[plan.item]
    body = item.position + item.rotation.apply(item.shape.body.vertices[::3])
    return bool(surface[:, 2].min() > 0.004 and body[:, 2].min() > -0.006)


def aim_at(
    rng: np.random.Generator, layout: Layout, side: int, act: str, target: int | None, other: HandPlan | None
) -> tuple[Points, Points]:
    """Where the striking point should touch [3], and the direction from which it comes [3]."""
    if act == "hold":
        approach = np.array([-side * 1.0, rng.uniform(-0.3, 0.3), rng.uniform(-0.2, 0.2)])
        return np.array([side * 0.03, rng.uniform(-0.02, 0.12), rng.uniform(0.13, 0.22)]), approach / np.linalg.norm(
            approach
        )
    if other is not None and other.act == "hold":
        held = layout.items[other.item]
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
        # The ear of a mug points to the open side of the hand.
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


def _empty_hand(rng: np.random.Generator, layout: Layout, side: int) -> HandPlan:
    spot = np.array([side * rng.uniform(0.2, 0.32), rng.uniform(-0.18, -0.05), rng.uniform(0.004, 0.05)])
    bearing = np.pi / 2 + side * rng.uniform(0.1, 0.6)
    return HandPlan(
        side=side, act="hold", item=None, target=None, pose="rest", grip_radius=0.0,
        rotation=Rotation.from_euler("ZX", [bearing - np.pi / 2, rng.uniform(-0.1, 0.25)]),
        touch=spot, approach=np.array([0.0, 0.0, -1.0]),
    )  # fmt: skip


def arm_points(layout: Layout, side: int) -> Points:
    """Wrist, elbow and shoulder of a hand at its touch, [3, 3]."""
    plan = layout.plans[side]
    _, wrist = hands.hand_mesh(plan.pose, plan.grip_radius)
    wrist = plan.touch + plan.rotation.apply(wrist * (-side, 1.0, 1.0))
    elbow = arms.elbow_of(wrist, layout.shoulders[side], side)
    return np.stack([wrist, elbow, layout.shoulders[side]])


def _along(corners: Points, steps: int = 10) -> Points:
    share = np.linspace(0.0, 1.0, steps)[:, None]
    return np.concatenate([a + (b - a) * share for a, b in zip(corners, corners[1:])])


def check_arms(layout: Layout) -> None:
    """Raises a LayoutError if an arm bends too far at the touch of its hand, or if the arms come near each other."""
    for side in layout.plans:
        _check_arm(layout, side)
    _check_hands_apart(layout)


def _check_arm(layout: Layout, side: int) -> None:
    """No wrist bends by more than 70 degrees and no elbow to less than 50."""
    wrist, elbow, shoulder = arm_points(layout, side)
    forearm, upper = (
        (wrist - elbow) / np.linalg.norm(wrist - elbow),
        (shoulder - elbow) / np.linalg.norm(shoulder - elbow),
    )
    fingers = layout.plans[side].rotation.apply(np.array([0.0, 1.0, 0.0]))
    if fingers @ forearm < np.cos(np.deg2rad(70.0)) or forearm @ upper > np.cos(np.deg2rad(50.0)):
        raise LayoutError("an arm would bend too far")


def _check_hands_apart(layout: Layout) -> None:
    if len(layout.plans) < 2:
        return
    if layout.plans[1].touch[0] - layout.plans[-1].touch[0] < 0.07:
        raise LayoutError("hands would cross")
    arms = {
        side: _along(np.concatenate([layout.plans[side].touch[None], arm_points(layout, side)])) for side in (-1, 1)
    }
    apart = np.linalg.norm(arms[-1][:, None] - arms[1][None], axis=2).min()
    if apart < 0.10:
        raise LayoutError("arms would touch")


def _pair_allowed(request: Request, layout: Layout, item: Item, target: int | None) -> bool:
    """Held-out pairs of materials occur in their test alone, and there in every scene."""
    if target is None or target == TABLE:
        return not request.held_out
    pair = frozenset((item.shape.material, layout.items[target].shape.material))
    return (pair in HELD_OUT_PAIRS) == request.held_out


def _check_pairs(request: Request, layout: Layout) -> None:
    pairs = [frozenset(_materials_of(layout, plan)) for plan in layout.plans.values() if plan.target is not None]
    if not request.held_out and any(pair in HELD_OUT_PAIRS for pair in pairs):
        raise LayoutError("a held-out pair of materials")
    if request.held_out and not any(pair in HELD_OUT_PAIRS for pair in pairs):
        raise LayoutError("no held-out pair of materials")
    if request.distinct_materials and len(set(pairs)) < len(pairs):
        raise LayoutError("both collisions have the same materials")


def _materials_of(layout: Layout, plan: HandPlan) -> list[str]:
    return [
        layout.items[index].shape.material for index in (plan.item, plan.target) if index is not None and index >= 0
    ]


def _occupied(layout: Layout) -> Points:
    """Points [K, 3] of arms, hands and held objects on their way, which clutter must not touch."""
    points = []
    for side, plan in layout.plans.items():
        arm = _along(arm_points(layout, side), 14)
        points += [arm - (0, 0, 0.045), arm + (0.04, 0, -0.03), arm - (0.04, 0, 0.03)]
        hand, _ = hands.hand_mesh(plan.pose, plan.grip_radius)
        surface = [plan.touch + plan.rotation.apply(hand.vertices[::12] * (-side, 1.0, 1.0))]
        if plan.item is not None:
            item = layout.items[plan.item]
            surface.append(item.position + item.rotation.apply(item.shape.body.vertices[::5]))
        for distance in (0.0, 0.04, 0.08):
            points += [cloud - plan.approach * distance for cloud in surface]
    return np.concatenate(points) if points else np.zeros((0, 3))


def _add_clutter(rng: np.random.Generator, request: Request, layout: Layout) -> None:
    wanted = int(rng.integers(request.level.num_objects[0], request.level.num_objects[1] + 1))
    occupied = _occupied(layout)
    held = {plan.item for plan in layout.plans.values()}
    names = tuple(CLASSES)
    for _ in range(wanted * 6):
        if len(layout.items) >= wanted:
            return
        item = _draw_item(rng, request, names)
        back = item.shape.height > 0.1
        for _ in range(8):
            depth = rng.uniform(0.2 if back else -0.2, 0.52 if back else 0.42)
            item.position = np.array([rng.uniform(-0.36 - 0.3 * depth, 0.36 + 0.3 * depth), depth, 0.0005])
            standing = [other for index, other in enumerate(layout.items) if index not in held]
            if any(_gap(item, other) < 0.004 for other in standing):
                continue
            flat_distance = np.linalg.norm(occupied[:, :2] - item.position[:2], axis=1)
            if ((flat_distance < item.shape.radius + 0.008) & (occupied[:, 2] < item.shape.height + 0.012)).any():
                continue
            layout.items.append(item)
            break
    if len(layout.items) < request.level.num_objects[0]:
        raise LayoutError("the table is too full")
