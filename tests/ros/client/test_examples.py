"""The examples for behaviour trees and for plain ROS nodes run as a user starts them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision, CollisionMask
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from tests.ros.conftest import ROOT
from tests.ros.perception.perception_graph import START_S

pytestmark = pytest.mark.ros


def start(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_behaviour_tree_waits_for_a_collision_and_looks(make_perception) -> None:
    pytest.importorskip("py_trees", reason="needs py_trees (pip install py-trees)")
    graph = make_perception()
    tree = start("examples/behaviour_tree.py")
    graph.wait_for(lambda: graph.node.count_subscribers("/perception/collision") == 2, "the tree to listen", START_S)
    graph.play_until_collision()
    graph.wait_for(lambda: tree.poll() is not None, "the tree to end", START_S)
    said, errors = tree.communicate()
    assert (tree.returncode, errors) == (0, "")
    waited, looked = said.splitlines()
    assert waited.startswith("wait for collision: At 1000.") and "two objects collided" in waited
    assert looked.startswith("look at it: looking at pixel ")


def test_a_behaviour_tree_fails_with_the_reason_where_nothing_can_be_heard(make_perception) -> None:
    pytest.importorskip("py_trees", reason="needs py_trees (pip install py-trees)")
    graph = make_perception()
    tree = start("examples/behaviour_tree.py", "--timeout", "5")  # long enough to find the node on a busy machine
    graph.wait_for(lambda: tree.poll() is not None, "the tree to end", START_S)
    said, _ = tree.communicate()
    assert tree.returncode == 1
    assert said.startswith("wait for collision: no collision with masks from /perception/collision within 5 s:")


@pytest.fixture
def make_waiter(graph):
    """Returns a function that puts the example's node on the test's graph."""
    spec = importlib.util.spec_from_file_location("wait_service", ROOT / "examples/wait_service.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    nodes = []

    def make(timeout_s: float):
        parameters = [Parameter("timeout_s", value=timeout_s)]
        nodes.append(example.CollisionWaiter(context=graph.context, parameter_overrides=parameters))
        graph._executor.add_node(nodes[-1])
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def calls(graph, count: int) -> list:
    client = graph.node.create_client(Trigger, "/collision_waiter/wait")
    graph.wait_for(client.service_is_ready, "the service")
    return [client.call_async(Trigger.Request()) for _ in range(count)]


def test_a_service_answers_every_caller_with_the_next_collision(graph, make_waiter) -> None:
    waiter = make_waiter(600.0)
    answers = calls(graph, 2)
    publisher = graph.node.create_publisher(Collision, "/perception/collision", 10)
    graph.wait_for(publisher.get_subscription_count, "the example's subscription")
    graph.wait_for(lambda: len(waiter._waiting) == 2, "both callers to wait")
    mask = CollisionMask(box=[1.0, 2.0, 3.0, 4.0])
    publisher.publish(Collision(reason="single_mask", detail="only one mask", masks=[mask]))
    graph.wait_for(lambda: all(answer.done() for answer in answers), "both answers")
    for answer in answers:
        assert (answer.result().success, answer.result().message) == (True, "single_mask: only one mask; box 1 2 3 4")


def test_a_service_gives_up_in_time(graph, make_waiter) -> None:
    make_waiter(0.5)
    (answer,) = calls(graph, 1)
    graph.wait_for(answer.done, "the answer")
    assert (answer.result().success, answer.result().message) == (False, "no collision within 0.5 s")


def test_a_service_refuses_more_callers_than_can_wait(graph, make_waiter) -> None:
    waiter = make_waiter(600.0)
    for expected in (8, 16):  # a few at a time: a service queues no more than 10
        calls(graph, 8)
        graph.wait_for(lambda expected=expected: len(waiter._waiting) == expected, "the callers to wait")
    (answer,) = calls(graph, 1)
    graph.wait_for(answer.done, "the refusal")
    assert (answer.result().success, answer.result().message) == (False, "16 callers wait already: call again later")
