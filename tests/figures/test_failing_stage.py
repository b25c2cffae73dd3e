"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.failing_stage import failures

pytestmark = pytest.mark.ros


def test_an_event_whose_stage_fails_ends_as_error_and_the_next_one_is_answered() -> None:
    assert failures("publishing", 2) == {
        ("error", "error", "closest_pair"): 1,
        ("memory", "error", "closest_pair"): 1,
    }
