"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

pytestmark = pytest.mark.ros

PROGRAM = "from tests.figures.killed_node import give_up_s; print(give_up_s(0.0))"


def test_a_node_that_is_killed_when_it_is_met_is_given_up_before_the_graph_forgets_it() -> None:
    """That takes 20 s and more; the listener's patience is 5 s. In a process of its own, see docs/reliability.md."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    assert float(done.stdout) < 20.0
