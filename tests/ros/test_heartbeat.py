"""A listener knows within a second that a node has ended, and that it is back."""

from __future__ import annotations

import signal

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.heartbeat import Heartbeat  # noqa: E402
from tests.ros.perception.perception_graph import START_S, NodeProcess  # noqa: E402

pytestmark = pytest.mark.ros

BEATING = """
import sys, time, rclpy
from cs3_ros.locating.node import LocatorNode
rclpy.init()
node = LocatorNode()
print("beating", file=sys.stderr, flush=True)
time.sleep(600)
"""


def test_a_node_that_is_killed_has_died_and_one_that_was_never_there_has_not(graph) -> None:
    watch, other = Heartbeat(graph.node, "/locator"), Heartbeat(graph.node, "/elsewhere")
    with NodeProcess(BEATING) as process:
        graph.wait_for(lambda: process.has_said("beating"), "the node", START_S)
        graph.wait_for(lambda: watch._is_alive, "its heartbeat")
        assert (watch.has_died, watch.num_deaths) == (False, 0)
    graph.wait_for(lambda: watch.has_died, "its end to be noticed")
    assert watch.num_deaths == 1
    assert (other.has_died, other.num_deaths) == (False, 0)
    with NodeProcess(BEATING):
        graph.wait_for(lambda: not watch.has_died, "it to be back", START_S)
        assert watch.num_deaths == 1, "it is remembered"


def test_a_node_that_was_held_up_still_knows_its_listener_and_another_must_find_it_first(graph) -> None:
    watch = Heartbeat(graph.node, "/locator")
    with NodeProcess(BEATING) as process:
        graph.wait_for(lambda: watch.is_known, "the node to find the listener", START_S)
        process.process.send_signal(signal.SIGSTOP)
        graph.wait_for(lambda: watch.has_died, "its silence to be noticed")
        assert not watch.is_known
        process.process.send_signal(signal.SIGCONT)
        graph.wait_for(lambda: watch.is_known, "it to be back")
        process.process.kill()
        graph.wait_for(lambda: watch.has_died, "its end to be noticed")
    with NodeProcess(BEATING):
        graph.wait_for(lambda: watch._is_alive, "another in its place", START_S)
        graph.wait_for(lambda: watch.is_known, "the other to find the listener")
