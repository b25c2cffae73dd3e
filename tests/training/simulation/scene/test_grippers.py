"""Grippers take the place of hands: they touch what they hold, from the same wrist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.simulation.physics import variants
from training.simulation.scenario import scenarios
from training.simulation.scenario.difficulty import LEVELS, SHARES
from training.simulation.scenario.scenarios import SceneRequest
from training.simulation.scene.grippers import gripper_mesh
from training.simulation.scene.hands import GRIP_RADII, hand_mesh
from training.simulation.scene.table_layout import LayoutError


@pytest.mark.parametrize("radius", GRIP_RADII)
def test_jaws_touch_a_cylinder_from_both_sides_and_do_not_cut_it(radius) -> None:
    x, y, z = gripper_mesh("wrap", radius).vertices.T
    from_axis = np.hypot(y, z)
    assert from_axis.min() >= radius - 1e-9
    jaws = (np.abs(x) < 0.012) & (from_axis < radius + 0.025)
    # Seen from the wrist, the jaws are on either side of the cylinder.
    _, wrist = hand_mesh("wrap", radius)
    across = np.cross([1.0, 0.0, 0.0], wrist / np.linalg.norm(wrist))
    offset = gripper_mesh("wrap", radius).vertices[jaws] @ across
    assert offset.min() < -radius and offset.max() > radius
    assert np.abs(offset).min() == pytest.approx(radius, abs=1e-6)


def test_jaws_lie_on_both_sides_of_an_edge() -> None:
    z = gripper_mesh("pinch", 0.005).vertices[:, 2]
    assert not ((z > -0.005 + 1e-9) & (z < 0.005 - 1e-9)).any()
    assert np.isclose(z, 0.005).any() and np.isclose(z, -0.005).any()


@pytest.mark.parametrize(("kind", "radius"), [("wrap", 0.012), ("wrap", 0.046), ("pinch", 0.005), ("rest", 0.0)])
def test_a_gripper_reaches_back_to_the_wrist_of_the_hand(kind, radius) -> None:
    _, wrist = hand_mesh(kind, radius)
    distance = np.linalg.norm(wrist)
    assert (gripper_mesh(kind, radius).vertices @ wrist).max() / distance > 0.95 * distance


def test_an_empty_gripper_stays_above_the_table() -> None:
    assert gripper_mesh("rest", 0.0).vertices[:, 2].min() > -0.01


def test_an_unknown_pose_is_refused() -> None:
    with pytest.raises(ValueError, match="pose must be one of wrap, pinch, rest, got 'fist'"):
        gripper_mesh("fist", 0.02)


def num_hand_vertices(gripper_share: float) -> dict[str, int]:
    """Of both hands in the first scene that fits, and of the gripper and the hand in their pose."""
    level = replace(LEVELS["outside"], gripper_share=gripper_share)
    for attempt in range(60):
        rng = np.random.default_rng(attempt)
        recipe = scenarios.two_hands()
        try:
            scene, _ = variants.prepare(rng, recipe, SceneRequest(level=level, acts=recipe.acts))
        except LayoutError:
            continue
        plan = scene.layout.plans[1]
        mesh = scene.model.geom_dataid[scene.model.geom("handR.hand").id]
        return {
            "seen": int(scene.model.mesh_facenum[mesh]),
            "gripper": len(gripper_mesh(plan.pose, plan.grip_radius).faces),
            "hand": len(hand_mesh(plan.pose, plan.grip_radius)[0].faces),
        }
    raise AssertionError("no scene fits")


def test_robots_act_in_their_share_of_scenes() -> None:
    person, robot = num_hand_vertices(0.0), num_hand_vertices(1.0)
    assert person["seen"] == person["hand"] != person["gripper"]
    assert robot["seen"] == robot["gripper"] != robot["hand"]


def test_mixed_data_sets_show_people_and_the_head_camera_alone() -> None:
    """So that the scenes of a seed stay what they were."""
    for name in SHARES:
        assert LEVELS[name].gripper_share == 0.0 and LEVELS[name].camera_down_rad == (0.70, 0.98)
    assert "outside" not in SHARES
