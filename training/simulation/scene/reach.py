"""Where the arms of a layout are, and whether they could be: joints within their range, arms and hands apart."""

from __future__ import annotations

import itertools

import numpy as np

from training.simulation.objects.meshes import Points
from training.simulation.scene import arms, hands
from training.simulation.scene.table_layout import LayoutError, TableLayout


def _arm_points(layout: TableLayout, side: int) -> Points:
    """Wrist, elbow and shoulder of a hand at its touch, [3, 3]."""
    plan = layout.plans[side]
    _, wrist = hands.hand_mesh(plan.pose, plan.grip_radius)
    wrist = plan.touch + plan.rotation.apply(wrist * (-side, 1.0, 1.0))
    elbow = arms.elbow_of(wrist, layout.shoulders[side], side)
    return np.stack([wrist, elbow, layout.shoulders[side]])


def _along(corners: Points, steps: int = 10) -> Points:
    share = np.linspace(0.0, 1.0, steps)[:, None]
    return np.concatenate([a + (b - a) * share for a, b in itertools.pairwise(corners)])


def check_arms(layout: TableLayout) -> None:
    """Raises a LayoutError if an arm bends too far at the touch of its hand, or if the arms come near each other."""
    for side in layout.plans:
        _check_arm(layout, side)
    _check_hands_apart(layout)


def _check_arm(layout: TableLayout, side: int) -> None:
    """No wrist bends by more than 70 degrees and no elbow to less than 50."""
    wrist, elbow, shoulder = _arm_points(layout, side)
    forearm, upper = (
        (wrist - elbow) / np.linalg.norm(wrist - elbow),
        (shoulder - elbow) / np.linalg.norm(shoulder - elbow),
    )
    fingers = layout.plans[side].rotation.apply(np.array([0.0, 1.0, 0.0]))
    if fingers @ forearm < np.cos(np.deg2rad(70.0)) or forearm @ upper > np.cos(np.deg2rad(50.0)):
        raise LayoutError("an arm would bend too far")


def _check_hands_apart(layout: TableLayout) -> None:
    if len(layout.plans) < 2:
        return
    if layout.plans[1].touch[0] - layout.plans[-1].touch[0] < 0.07:
        raise LayoutError("hands would cross")
    arms = {
        side: _along(np.concatenate([layout.plans[side].touch[None], _arm_points(layout, side)])) for side in (-1, 1)
    }
    apart = np.linalg.norm(arms[-1][:, None] - arms[1][None], axis=2).min()
    if apart < 0.10:
        raise LayoutError("arms would touch")


def points_in_the_way(layout: TableLayout) -> Points:
    """Points [K, 3] of arms, hands and held objects on their way, which clutter must not touch."""
    points = []
    for side, plan in layout.plans.items():
        arm = _along(_arm_points(layout, side), 14)
        points += [arm - (0, 0, 0.045), arm + np.array((0.04, 0.0, -0.03)), arm - (0.04, 0, 0.03)]
        hand, _ = hands.hand_mesh(plan.pose, plan.grip_radius)
        surface = [plan.touch + plan.rotation.apply(hand.vertices[::12] * (-side, 1.0, 1.0))]
        if plan.item is not None:
            item = layout.items[plan.item]
            surface.append(item.position + item.rotation.apply(item.shape.body.vertices[::5]))
        for distance in (0.0, 0.04, 0.08):
            points += [cloud - plan.approach * distance for cloud in surface]
    return np.concatenate(points) if points else np.zeros((0, 3))
