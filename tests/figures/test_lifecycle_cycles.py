"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.lifecycle_cycles import cycles

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_threads_and_descriptors_stay_as_many_over_lifecycle_cycles() -> None:
    before, *_, after = cycles(8)
    assert (after.threads, after.descriptors) == (before.threads, before.descriptors)
