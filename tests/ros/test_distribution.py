"""What every distribution must offer alike."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from lifecycle_msgs.srv import ChangeState  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402

from cs3_ros.distribution import LifecycleNode, ros_context  # noqa: E402

pytestmark = pytest.mark.ros


def test_the_default_context_ends_with_the_block_and_can_be_entered_again() -> None:
    for _ in range(2):
        with ros_context([]):
            assert rclpy.ok()
        assert not rclpy.ok()


def test_an_error_in_the_block_leaves_the_graph_and_goes_on() -> None:
    context = rclpy.Context()
    with pytest.raises(KeyError), ros_context([], context=context):
        assert context.ok()
        raise KeyError
    assert not context.ok()


def test_a_transition_that_does_not_fit_is_refused_by_call_and_by_service(graph) -> None:
    node = LifecycleNode("lifecycle", context=graph.context)
    assert node.trigger_activate() is TransitionCallbackReturn.ERROR
    graph.wait_for(lambda: node.trigger_configure() is TransitionCallbackReturn.SUCCESS, "it to be usable after that")
    client = graph.node.create_client(ChangeState, "/lifecycle/change_state")
    graph._executor.add_node(node)
    graph.wait_for(client.service_is_ready, "the service")
    request = ChangeState.Request()
    request.transition.label = "configure"
    answer = client.call_async(request)
    graph.wait_for(answer.done, "the answer")
    assert not answer.result().success
    graph._executor.remove_node(node)
    node.destroy_node()


def test_the_log_of_a_node_outlives_one_of_the_same_name_that_was_destroyed_before(graph) -> None:
    lines = graph.listen_to_log()
    LifecycleNode("again", context=graph.context).destroy_node()
    node = LifecycleNode("again", context=graph.context)
    gc.collect()
    node.get_logger().warning("still here")
    graph.wait_for(lambda: any(line.msg == "still here" for line in lines), "the line")
    node.destroy_node()


@pytest.mark.parametrize(
    "arguments, environment, words",
    [
        (["-r", "a b:=c"], {}, "Couldn't parse remap rule"),
        (["--params-file", "nowhere.yaml"], {}, "nowhere.yaml"),
        ([], {"ROS_LOG_DIR": "/proc/nowhere"}, "Failed to create log directory '/proc/nowhere'"),
    ],
)
def test_what_ros_refuses_at_its_start_is_one_line(arguments, environment, words) -> None:
    code = (
        "import sys\nfrom cs3_ros.distribution import ros_context\n"
        "try:\n    with ros_context(['--ros-args', *sys.argv[1:]]): pass\n"
        "except ValueError as error: sys.exit(f'refused: {error}')"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    *others, line = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("refused: ROS refuses to start: ") and words in line
    assert "Traceback" not in "".join(others) and "/src/" not in line
