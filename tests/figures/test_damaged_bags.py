"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.damaged_bags import damaged

pytestmark = pytest.mark.ros


def test_a_cut_or_flipped_bag_is_read_as_far_as_it_goes_and_what_is_lost_is_said() -> None:
    for outcomes in damaged(8).values():
        assert set(outcomes) <= {"whole", "lost, said", "refused"}
        assert outcomes["lost, said"] >= 5
