"""The arm reaches what it taps, and the microphone hears that."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from examples.tapping_agent import arm
from examples.tapping_agent.episode import RepeatedTaps
from examples.tapping_agent.table import BASE_XY, MATERIALS, lay_bowls
from examples.tapping_agent.world import RATE_HZ, TappingMicrophone, TappingWorld


@pytest.fixture(scope="module")
def tapped():
    """A table, and what came of a tap on each of two look-alikes."""
    table = lay_bowls(0)
    world = TappingWorld(table)
    world.rest(0.2)
    return table, [world.tap(2), world.tap(1)]


def test_the_stick_is_where_the_joints_are_told_to_bring_it():
    table = lay_bowls(0)
    data = mujoco.MjData(table.scene.model)
    arm.place(table.scene.model, data, arm.Tip(angle=-np.pi / 2, reach_m=0.25, height_m=0.05))
    mujoco.mj_kinematics(table.scene.model, data)
    # straight towards the camera, and the wrist 17 cm above the end of the stick
    assert data.body("arm.wrist").xpos == pytest.approx([BASE_XY[0], BASE_XY[1] - 0.25, 0.22], abs=1e-9)


def test_a_place_out_of_reach_is_refused():
    with pytest.raises(ValueError, match=r"the arm reaches 0\.4 m, not"):
        arm.joints_of(arm.Tip(angle=0.0, reach_m=0.6, height_m=0.05))


def test_look_alikes_look_alike_and_are_each_of_another_material():
    table = lay_bowls(5)
    alike = table.scene.layout.items[: table.stick]
    assert sorted(table.kinds) == sorted(MATERIALS)
    assert [item.shape.material for item in alike] == list(table.kinds)
    assert all(item.shape.body is alike[0].shape.body and item.finish is alike[0].finish for item in alike)


def test_a_tap_strikes_the_object_that_was_asked_for_when_the_arm_feels_it(tapped):
    table, stretches = tapped
    assert [stretch.struck(table) for stretch in stretches] == [2, 1]
    for stretch in stretches:
        assert stretch.touch_s == pytest.approx(stretch.collisions[0].time_s, abs=0.002)


def test_the_microphone_hears_the_background_and_then_the_tap(tapped):
    table, (stretch, _) = tapped
    sound = TappingMicrophone(table, 0).record(stretch)
    touch = round((stretch.touch_s - stretch.start_s) * RATE_HZ)
    level = [float(np.sqrt(np.mean(part**2))) for part in (sound[: touch - 80], sound[touch : touch + RATE_HZ // 4])]
    assert level[0] == pytest.approx(0.002, rel=0.2)
    assert 15.0 < 20 * np.log10(level[1] / 0.002) < 31.0


def test_a_microphone_that_is_off_hears_the_background_alone(tapped):
    table, (stretch, _) = tapped
    sound = TappingMicrophone(table, 0, "off").record(stretch)
    assert float(np.sqrt(np.mean(sound**2))) == pytest.approx(0.002, rel=0.1)


def test_a_tap_with_the_sound_of_another_keeps_its_own_touch(tapped):
    """The other tap's collisions come, as long after this touch as they came after that one."""
    first, second = tapped[1]
    mixed = first.sounding_like(second)
    assert (mixed.start_s, mixed.touch_s, mixed.states) == (first.start_s, first.touch_s, first.states)
    assert [c.objects for c in mixed.collisions] == [c.objects for c in second.collisions]
    delays = [[c.time_s - tap.touch_s for c in tap.collisions] for tap in (mixed, second)]
    assert delays[0] == pytest.approx(delays[1])


def test_swapped_taps_sound_like_the_next_look_alike_of_their_round(tapped):
    """Of two look-alikes, tapped twice, a and b: b a, b a; the rest before and the pointing after stay."""
    _, (a, b) = tapped
    rest = replace(a, collisions=(), touch_s=None)
    swapped = RepeatedTaps([rest, a, b, a, b, rest], swapped=2)
    assert swapped.rest(1.0) is rest
    objects = [[c.objects for c in swapped.tap(index).collisions] for index in (0, 1, 0, 1)]
    assert objects == 2 * [[c.objects for c in b.collisions], [c.objects for c in a.collisions]]
    assert swapped.point_at(0) is rest


def test_a_microphone_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="on, off, got 'loud'"):
        TappingMicrophone(lay_bowls(0), 0, "loud")
