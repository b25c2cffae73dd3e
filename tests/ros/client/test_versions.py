"""A client outlives its node: what it hears of the next one, and of one that means another message by the same name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.client import CollisionClient, PerceptionAbsentError, PerceptionVersionError
from tests.ros.conftest import DEADLINE_S, ROOT
from tests.ros.perception.perception_graph import NodeProcess

pytestmark = pytest.mark.ros

PERCEIVE_UNTIL_KILLED = """
import time
import rclpy
from cs3_msgs.msg import Collision
from cs3_ros.conversions.times import ns_to_stamp
from cs3_ros.perception.node import PerceptionNode
rclpy.init()
node = PerceptionNode()
publisher = node.create_publisher(Collision, "~/collision", 10)
number = 0
def publish():
    global number
    number += 1
    publisher.publish(Collision(onset=ns_to_stamp(number), reason="no_candidate"))
node.create_timer(0.05, publish)
rclpy.spin(node)
"""


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_client_hears_the_node_that_comes_after_the_one_that_was_killed() -> None:
    """Two processes one after the other; each counts its collisions from one on."""
    with CollisionClient(patience_s=DEADLINE_S) as client:
        listener = client.listen(timeout=DEADLINE_S)
        with NodeProcess(PERCEIVE_UNTIL_KILLED):
            first = next(listener)
            client.wait_for_node(DEADLINE_S)  # killed sooner, it would not be known as ended
        with pytest.raises(PerceptionAbsentError, match=r"/perception (has ended|publishes)"):
            while True:
                next(listener)
        with NodeProcess(PERCEIVE_UNTIL_KILLED):
            again = None
            while again is None:  # until the node's sign of life has come
                try:
                    again = next(listener)
                except PerceptionAbsentError:
                    time.sleep(0.05)
        assert first.reason == again.reason == "no_candidate"
        assert client.last().onset_ns >= again.onset_ns


@pytest.mark.slow
def test_another_version_of_the_messages_is_refused_in_one_line(foreign_workspace) -> None:
    """The look-alike's Collision has the same name and other fields; the node after it has the right ones."""
    script = Path(__file__).with_name("publish_another_version.py")
    setup = foreign_workspace("another_version")
    with CollisionClient(patience_s=DEADLINE_S) as client:
        command = ["bash", "-c", f"source '{setup}' && exec '{sys.executable}' '{script}'"]
        other = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ, cwd=ROOT)
        try:
            with pytest.raises(PerceptionVersionError) as refused:
                next(client.listen())
            assert other.stderr.readline() == "sent\n"
            assert client.last() is None, "nothing of it gets through"
        finally:
            other.kill()
            other.wait()
        line = str(refused.value)
        words = "/perception/collision is published by another definition of cs3_msgs/msg/Collision (RIHS01_"
        assert line.startswith(words) and line.endswith("build cs3_msgs of one version for both") and "\n" not in line
        with NodeProcess(PERCEIVE_UNTIL_KILLED):
            wait_for(client.last)
            assert client.last().reason == "no_candidate"
