"""Jars look alike; a loose lid knocks again after a tap, and a full jar rings lower and shorter."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from examples.tapping_agent.jars import KINDS, lay_jars
from examples.tapping_agent.world import TappingWorld


@pytest.fixture(scope="module")
def tapped():
    """A table, and what came of a tap on each jar."""
    table = lay_jars(1)
    world = TappingWorld(table)
    world.rest(1.0)
    return table, [world.tap(index) for index in range(len(table.kinds))]


def test_one_jar_is_full_one_has_a_loose_lid_and_all_look_alike():
    table = lay_jars(3)
    jars = table.scene.layout.items[: table.stick]
    assert sorted(table.kinds) == sorted(KINDS)
    ((lid, loose),) = table.lids.items()
    assert table.kinds[loose] == "loose"
    assert [jar.shape.contents > 0 for jar in jars] == [kind == "full" for kind in table.kinds]
    lying = table.scene.layout.items[lid]
    lid_vertices = lying.shape.body.moved((0.0, 0.0, lying.position[2])).vertices
    at_rest = np.concatenate([jars[loose].shape.body.vertices, lid_vertices])
    for kind, jar in zip(table.kinds, jars, strict=True):
        if kind != "loose":
            assert jar.shape.body.vertices == pytest.approx(at_rest, abs=0.002)
        assert jar.finish is jars[0].finish is lying.finish


def test_a_tap_strikes_the_jar_that_was_asked_for_or_its_lid(tapped):
    table, taps = tapped
    assert [tap.struck(table) for tap in taps] == [0, 1, 2, 3]


def test_a_loose_lid_knocks_on_its_jar_again_well_after_the_tap_and_no_other_does(tapped):
    """A detector of onsets tells knocks apart that are 40 ms apart."""
    table, taps = tapped
    ((lid, loose),) = table.lids.items()
    for index, tap in enumerate(taps):
        late = [c.objects for c in tap.collisions if c.time_s > tap.touch_s + 0.04]
        assert bool(late) == (index == loose), table.kinds[index]
        assert set(late) <= {(loose, lid)}
