"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.hung_stage import hang

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_a_node_whose_stage_hangs_says_so_and_ends_and_the_next_one_hears() -> None:
    found = hang("boxes")
    assert found.status == 1
    assert set(found.reasons) == {"error"}
