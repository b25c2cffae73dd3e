"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.fuzzing import fuzz

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_malformed_messages_of_every_kind_are_counted_and_the_next_impact_is_answered() -> None:
    found = fuzz(102)
    assert len(found.sent) >= 30
    assert found.not_counted == []
    assert found.grown_mb < 200
