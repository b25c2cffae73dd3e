"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.killed_node import give_up_s

pytestmark = pytest.mark.ros


def test_a_node_that_is_killed_when_it_is_met_is_given_up_before_the_graph_forgets_it() -> None:
    """That takes 20 s and more; the listener's patience is 5 s."""
    assert give_up_s(0.0) < 20.0
