"""The launch files, run by launch_ros where it is installed (pip has none of it)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from cs3_msgs.msg import Collision

launch_ros = pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS 2 installation only")

from launch.actions import DeclareLaunchArgument  # noqa: E402
from launch.launch_description_sources import get_launch_description_from_python_launch_file  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from cs3_ros.demo import SHIPPED_BAG  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.slow]

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
START_S = 90.0
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

arguments = [tuple(argument.split(":=", 1)) for argument in sys.argv[2:]]
service = LaunchService()
source = PythonLaunchDescriptionSource(sys.argv[1])
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""


@contextmanager
def launched(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A launch file in a process of its own, ended by Ctrl-C."""
    command = [sys.executable, "-c", RUN, str(LAUNCH / name), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def state_of(graph, name: str) -> Callable[[], str]:
    """Returns a function that says the lifecycle state of a node, as last heard."""
    client = graph.node.create_client(GetState, f"{name}/get_state")
    futures: list = []

    def state() -> str:
        if futures and futures[-1].done():
            return futures.pop().result().current_state.label
        if not futures and client.service_is_ready():
            futures.append(client.call_async(GetState.Request()))
        return ""

    return state


@pytest.mark.parametrize("name", ["perception.launch.py", "demo.launch.py"])
def test_every_argument_is_described(name: str) -> None:
    description = get_launch_description_from_python_launch_file(str(LAUNCH / name))
    arguments = [entity for entity in description.entities if isinstance(entity, DeclareLaunchArgument)]
    assert len(arguments) >= 3
    assert all(len(argument.description) > 10 for argument in arguments)


def test_the_node_starts_active_in_its_namespace_with_its_topics_remapped(graph) -> None:
    arguments = ("namespace:=head", "preset:=debug", "image:=/camera/rgb", "audio:=/microphone/pcm")
    with launched("perception.launch.py", *arguments):
        state = state_of(graph, "/head/perception")
        graph.wait_for(lambda: state() == "active", "the node to become active", START_S)
        names = dict(graph.node.get_topic_names_and_types())
        assert "/head/perception/collision" in names


def test_without_autostart_the_node_waits(graph) -> None:
    with launched("perception.launch.py", "autostart:=false"):
        state = state_of(graph, "/perception")
        graph.wait_for(lambda: state() == "unconfigured", "the node to be there, unconfigured", START_S)


def test_a_bag_is_replayed_through_the_node(graph) -> None:
    collisions: list[Collision] = []
    graph.node.create_subscription(Collision, "/perception/collision", collisions.append, 10)
    with launched("demo.launch.py", f"bag:={SHIPPED_BAG}", "preset:=debug", "rviz:=false"):
        graph.wait_for(lambda: len(collisions) >= 4, "collisions of the clip", START_S)


@pytest.mark.skipif(find_spec("rerun") is None, reason="rerun-sdk is not installed")
def test_rerun_records_beside_the_node(graph, tmp_path) -> None:
    file = tmp_path / "a.rrd"
    arguments = ("autostart:=false", "namespace:=head", "image:=/camera/rgb", f"rerun_file:={file}")
    with launched("perception.launch.py", *arguments):
        viewer = ("rerun_viewer", "/head")
        nodes = graph.node.get_node_names_and_namespaces
        graph.wait_for(lambda: viewer in nodes(), "the viewer to be there", START_S)
        graph.node.create_publisher(Image, "/camera/rgb", 10)
        graph.wait_for(lambda: graph.node.count_subscribers("/camera/rgb"), "it to listen to the camera", START_S)
    assert file.stat().st_size > 0, "ended by Ctrl-C, it has written what it had"


def test_a_bad_argument_ends_the_launch_with_its_reason() -> None:
    command = [sys.executable, "-c", RUN, str(LAUNCH / "perception.launch.py"), "log_level:=loud"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
    assert done.returncode != 0
    assert "loud" in done.stdout + done.stderr and "debug" in done.stdout + done.stderr
