"""The launch files, run by launch_ros where it is installed (pip has none of it).

What they start, and what they refuse, is tested without it in tests/ros/bringup.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from cs3_msgs.action import TrackCollision
from cs3_msgs.msg import Collision

launch_ros = pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS 2 installation only")

from launch.actions import DeclareLaunchArgument  # noqa: E402
from launch.launch_description_sources import get_launch_description_from_python_launch_file  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from cs3_ros.demo import SHIPPED_BAG  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(400)]

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
START_S = 300.0
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

arguments = [tuple(argument.split(":=", 1)) for argument in sys.argv[2:]]
service = LaunchService()
source = AnyLaunchDescriptionSource(sys.argv[1])
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""
TWO_INSTANCES = f"""
<launch>
  <set_parameter name="publish_rejected" value="false"/>
  <group>
    <push_ros_namespace namespace="left"/>
    <include file="{LAUNCH}/perception.launch.py">
      <arg name="preset" value="debug"/>
      <arg name="bag" value="{SHIPPED_BAG}"/>
    </include>
  </group>
  <group>
    <push_ros_namespace namespace="right"/>
    <include file="{LAUNCH}/perception.launch.py">
      <arg name="namespace" value="head"/>
      <arg name="autostart" value="False"/>
      <arg name="log_level" value="debug"/>
    </include>
  </group>
</launch>
"""
IN_YAML = f"""
launch:
- set_remap: {{from: audio, to: /microphone/pcm}}
- include:
    file: {LAUNCH}/demo.launch.py
    arg:
    - {{name: preset, value: debug}}
    - {{name: rviz, value: "False"}}
    - {{name: namespace, value: head}}
    - {{name: exit_with_bag, value: "true"}}
"""


@contextmanager
def launched(file: Path | str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A launch file, of this package or another, in a process of its own, ended by Ctrl-C."""
    command = [sys.executable, "-c", RUN, str(LAUNCH / file), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=START_S)
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


def listen(graph, topic: str) -> list[Collision]:
    """What is published there from now on."""
    collisions: list[Collision] = []
    graph.node.create_subscription(Collision, topic, collisions.append, 10)
    return collisions


def test_two_instances_in_pushed_namespaces_from_xml(graph, tmp_path) -> None:
    file = tmp_path / "two.launch.xml"
    file.write_text(TWO_INSTANCES)
    collisions = listen(graph, "/left/perception/collision")
    with launched(file):
        state = state_of(graph, "/right/head/perception")
        graph.wait_for(lambda: state() == "unconfigured", "the one to be there, unconfigured", START_S)
        graph.wait_for(lambda: len(collisions) >= 2, "the other to publish collisions of the clip", START_S)
        assert graph.node.count_publishers("/right/head/perception/collision") == 0


def test_the_shipped_bag_meets_a_remapped_node_from_yaml_and_ends_the_launch(graph, tmp_path) -> None:
    file = tmp_path / "demo.launch.yaml"
    file.write_text(IN_YAML)
    collisions = listen(graph, "/head/perception/collision")
    with launched(file) as launch:
        graph.wait_for(lambda: len(collisions) >= 4, "collisions of the clip", START_S)
        graph.wait_for(lambda: launch.poll() is not None, "the launch to end with the bag", START_S)
        assert launch.returncode == 0


def test_a_node_that_cannot_start_ends_the_launch_with_a_failure(graph) -> None:
    with launched("perception.launch.py", "device:=cuda:99", f"bag:={SHIPPED_BAG}") as launch:
        graph.wait_for(lambda: launch.poll() is not None, "the launch to end", START_S)
        assert launch.returncode == 1
        output = launch.communicate()[0]
    assert "device 'cuda:99' is not there" in output and "perception ended with status 1" in output


def test_tracker_and_locator_come_up_beside_the_node_on_its_topics(graph) -> None:
    arguments = ("namespace:=head", "preset:=debug", "image:=/camera/rgb", "camera_info:=/camera/info")
    with launched("perception.launch.py", *arguments, "tracker:=true", "locator:=true", "depth:=/camera/depth"):
        state = state_of(graph, "/head/perception")
        graph.wait_for(lambda: state() == "active", "the node to become active", START_S)
        nodes = graph.node.get_node_names_and_namespaces
        others = {("tracker", "/head"), ("locator", "/head")}
        graph.wait_for(lambda: others <= set(nodes()), "tracker and locator", START_S)
        track = ActionClient(graph.node, TrackCollision, "/head/tracker/track")
        graph.wait_for(track.server_is_ready, "the tracker to take goals", START_S)
        graph.wait_for(lambda: "locator" in listeners(graph, "/camera/depth"), "the locator to take depth", START_S)
        assert "locator" in listeners(graph, "/camera/info")
        track.destroy()


def listeners(graph, topic: str) -> list[str]:
    """The names of the nodes that subscribe to a topic."""
    return [info.node_name for info in graph.node.get_subscriptions_info_by_topic(topic)]


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


@pytest.mark.parametrize(
    "argument, words",
    [
        ("log_level:=loud", "log_level must be one of debug, info"),
        ("bag:=nowhere", "there is no bag nowhere"),
        ("params_file:=nowhere.yaml", "params file nowhere.yaml cannot be read"),
        ("preset:=nosuch", "unknown preset 'nosuch'"),
    ],
)
def test_what_is_missing_ends_the_launch_before_anything_starts(argument, words) -> None:
    command = [sys.executable, "-c", RUN, str(LAUNCH / "perception.launch.py"), argument]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1 and words in output
    assert "process started" not in output and "Traceback" not in output
