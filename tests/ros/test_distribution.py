"""What every distribution must offer alike."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from lifecycle_msgs.srv import ChangeState  # noqa: E402
from rclpy.exceptions import InvalidHandle  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402

from cs3_ros.bags import bag_player  # noqa: E402
from cs3_ros.client import CollisionClient  # noqa: E402
from cs3_ros.distribution import LifecycleNode, RCLError, ros_context  # noqa: E402
from cs3_ros.locating import node as locator  # noqa: E402
from cs3_ros.microphone import node as microphone  # noqa: E402
from cs3_ros.perception.loading import run_in_thread  # noqa: E402
from cs3_ros.tracking import node as tracker  # noqa: E402
from examples import wait_service  # noqa: E402

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


def test_a_transition_that_raises_says_why_and_leaves_the_node_usable(graph) -> None:
    class Forbidden(LifecycleNode):
        def on_configure(self, state: object) -> TransitionCallbackReturn:
            raise RCLError("no permission to publish, at /src/rcl/publisher.c:1")

        def on_error(self, state: object) -> TransitionCallbackReturn:
            return TransitionCallbackReturn.SUCCESS

    lines = graph.listen_to_log()
    node = Forbidden("forbidden", context=graph.context)
    assert node.trigger_configure() is TransitionCallbackReturn.ERROR
    graph.wait_for(lambda: [line for line in lines if line.name == "forbidden"], "the line")
    said = [line.msg for line in lines if line.name == "forbidden"]
    assert said == ["configuring failed: RCLError: no permission to publish"]
    assert node._state_machine.current_state[1] == "unconfigured"
    node.destroy_node()


@pytest.mark.parametrize("fails", [False, True])
def test_a_node_that_is_destroyed_during_a_transition_ends_it(graph, fails) -> None:
    """Without the state machine the process would end by a signal."""
    begun, destroyed = threading.Event(), threading.Event()

    class Slow(LifecycleNode):
        def on_configure(self, state: object) -> TransitionCallbackReturn:
            begun.set()
            destroyed.wait()
            if fails:
                raise RuntimeError("given up")
            return TransitionCallbackReturn.SUCCESS

    node = Slow("slow", context=graph.context)
    configured = run_in_thread(node.trigger_configure)
    begun.wait()
    node.destroy_node()
    destroyed.set()
    expected = TransitionCallbackReturn.ERROR if fails else TransitionCallbackReturn.SUCCESS
    assert configured.result() is expected
    with pytest.raises(InvalidHandle):
        node.trigger_configure()


DEMO_BAG = str(Path(__file__).resolve().parents[2] / "cs3_ros" / "demo_bag")
KEYS = ("identity_ca.cert.pem", "cert.pem", "key.pem", "permissions_ca.cert.pem", "governance.p7s", "permissions.p7s")
COMMANDS = {
    "bag_player": lambda *ros: bag_player.main([DEMO_BAG, *ros]),
    "locator": lambda *ros: locator.main(["locator", *ros]),
    "microphone": lambda *ros: microphone.main(["microphone", *ros]),
    "tracker": lambda *ros: tracker.main(["tracker", *ros]),
    "wait_service": lambda *ros: wait_service.main(["wait_service", *ros]),
}


@pytest.fixture
def enclave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for the keys of the enclave /robot; it is not there yet."""
    folder = tmp_path / "enclaves" / "robot"
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(tmp_path))
    return folder


def make_worthless_keys(enclave: Path) -> None:
    """Files that no middleware takes for keys, be it built with security or without."""
    enclave.mkdir(parents=True)
    for name in KEYS:
        (enclave / name).write_text("worthless\n")


@pytest.mark.filterwarnings("ignore:Failed to fini rosout publisher")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_enclave_is_missing_or_worthless_ends_with_a_line(name, enclave, capfd) -> None:
    run = COMMANDS[name]
    assert run("--ros-args", "--enclave", "/robot") == 1
    assert capfd.readouterr().err.startswith(f"{name}: ROS refuses to start: failed to initialize rcl: SECURITY ERROR")
    make_worthless_keys(enclave)
    assert run("--ros-args", "--enclave", "/robot") == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith(f"{name}: ROS refuses: error creating node: ")


def test_the_perception_node_ends_with_a_line_too(enclave) -> None:
    make_worthless_keys(enclave)
    command = [sys.executable, "-m", "cs3_ros.perception.node", "--ros-args", "--enclave", "/robot"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("perception: ROS refuses: error creating node: ")


def test_a_client_names_its_enclave_by_the_environment_and_is_refused_in_a_line(enclave, monkeypatch) -> None:
    monkeypatch.setenv("ROS_SECURITY_ENCLAVE_OVERRIDE", "/robot")
    with pytest.raises(ValueError, match=r"ROS refuses to start: .*/enclaves/robot' does not exist"):
        CollisionClient()
    make_worthless_keys(enclave)
    with pytest.raises(ValueError, match=r"^ROS refuses: error creating node: [^\n]*$"):
        CollisionClient()


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
