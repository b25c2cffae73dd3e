"""Draws a layout: what lies on the table, what the hands hold, and what each hand is about to hit.

Axes and sides are those of `table_layout`.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from training.simulation.objects.appearance import ambiguous, finish_of, handle_finish
from training.simulation.objects.catalogue import (
    CLASSES,
    FACETED_SEGMENTS,
    FLAT_TARGETS,
    HOLDABLE,
    ROUND_SEGMENTS,
    TARGETS,
    build_shape,
    draw_kind,
)
from training.simulation.objects.materials import HELD_OUT_PAIRS
from training.simulation.objects.shapes import vessels
from training.simulation.scenario.scenarios import SceneRequest
from training.simulation.scene.grasp import above_table, empty_hand, grasp
from training.simulation.scene.reach import check_arms, points_in_the_way
from training.simulation.scene.table_layout import TABLE, HandPlan, Item, LayoutError, TableLayout


def lay_out(rng: np.random.Generator, request: SceneRequest) -> TableLayout:
    """Draws a layout.

    Raises:
        LayoutError: if this draw does not fit; draw again.
    """
    layout = TableLayout()
    shoulder_y, shoulder_z = rng.uniform(-0.62, -0.54), rng.uniform(0.28, 0.38)
    for side in (-1, 1):
        layout.shoulders[side] = np.array([side * rng.uniform(0.19, 0.24), shoulder_y, shoulder_z])
    targets = _place_targets(rng, request, layout)
    for side in sorted(request.acts, key=lambda side: request.acts[side] != "hold"):
        _fill_hand(rng, request, layout, side, targets)
    _check_pairs(request, layout)
    for side in (-1, 1):
        if side not in layout.plans and rng.random() < 0.6:
            layout.plans[side] = empty_hand(rng, side)
    check_arms(layout)
    _add_clutter(rng, request, layout)
    return layout


def _draw_item(rng: np.random.Generator, request: SceneRequest, names: tuple[str, ...]) -> Item:
    name, material = draw_kind(rng, names)
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


def _place_targets(rng: np.random.Generator, request: SceneRequest, layout: TableLayout) -> dict[int, int]:
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


def _twin_of(rng: np.random.Generator, request: SceneRequest, first: Item) -> Item:
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


def _fill_hand(
    rng: np.random.Generator, request: SceneRequest, layout: TableLayout, side: int, targets: dict[int, int]
) -> None:
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
        plan = layout.plans[side] = grasp(rng, layout, side, act, index, target)
        if above_table(layout, plan):
            return
    raise LayoutError("the hand would dip into the table")


def _pair_allowed(request: SceneRequest, layout: TableLayout, item: Item, target: int | None) -> bool:
    """Held-out pairs of materials occur in their test alone, and there in every scene."""
    if target is None or target == TABLE:
        return not request.held_out
    pair = frozenset((item.shape.material, layout.items[target].shape.material))
    return (pair in HELD_OUT_PAIRS) == request.held_out


def _check_pairs(request: SceneRequest, layout: TableLayout) -> None:
    pairs = [frozenset(_materials_of(layout, plan)) for plan in layout.plans.values() if plan.target is not None]
    if not request.held_out and any(pair in HELD_OUT_PAIRS for pair in pairs):
        raise LayoutError("a held-out pair of materials")
    if request.held_out and not any(pair in HELD_OUT_PAIRS for pair in pairs):
        raise LayoutError("no held-out pair of materials")
    if request.distinct_materials and len(set(pairs)) < len(pairs):
        raise LayoutError("both collisions have the same materials")


def _materials_of(layout: TableLayout, plan: HandPlan) -> list[str]:
    return [
        layout.items[index].shape.material for index in (plan.item, plan.target) if index is not None and index >= 0
    ]


def _add_clutter(rng: np.random.Generator, request: SceneRequest, layout: TableLayout) -> None:
    wanted = int(rng.integers(request.level.num_objects[0], request.level.num_objects[1] + 1))
    occupied = points_in_the_way(layout)
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
