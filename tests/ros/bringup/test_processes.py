"""From arguments to processes: names, topics and log levels, worked out by hand."""

from __future__ import annotations

from pathlib import Path

from cs3_ros.bringup.arguments import read_arguments
from cs3_ros.bringup.processes import EndsLaunch, Process, full_node_name, processes


def started(pushed: str = "", **given: str) -> dict[str, Process]:
    """Processes by executable."""
    made = processes(read_arguments(given), rviz_config=Path("a.rviz"), pushed_namespace=pushed)
    return {process.executable: process for process in made}


def test_without_arguments_there_is_the_node_alone_with_its_defaults() -> None:
    (node,) = started().values()
    assert node.ros_arguments() == ["--ros-args", "-r", "__node:=perception", "--log-level", "perception:=info"]
    assert node.ends_launch is EndsLaunch.ALWAYS


def test_the_node_gets_its_namespace_topics_and_parameters() -> None:
    node = started(namespace="head", image="/camera/rgb", preset="debug", use_sim_time="True")["perception"]
    line = " ".join(node.ros_arguments())
    assert "-r image:=/camera/rgb -r image/compressed:=/camera/rgb/compressed" in line and "audio:=" not in line
    assert "-r __ns:=/head" in line and "-p preset:=debug -p use_sim_time:=true" in line
    assert "--log-level head.perception:=info" in line


def test_the_log_level_names_the_logger_in_pushed_namespaces() -> None:
    node = started("/robot", namespace="head", log_level="debug")["perception"]
    assert node.log_levels == {"robot.head.perception": "debug"}
    assert started("/robot", namespace="/head")["perception"].log_levels == {"head.perception": "info"}


def test_full_names_know_pushed_and_absolute_namespaces() -> None:
    assert full_node_name(read_arguments({})) == "/perception"
    assert (
        full_node_name(read_arguments({"namespace": "head/left"}), pushed_namespace="/r") == "/r/head/left/perception"
    )
    assert full_node_name(read_arguments({"namespace": "/"}), pushed_namespace="/r") == "/perception"


def test_the_player_publishes_what_the_node_listens_to_and_waits_as_long_as_it_lives() -> None:
    player = started(bag="b", namespace="head", audio="/mic/audio")["bag_player"]
    line = " ".join(player.arguments)
    assert line == (
        "b --inputs image:=image audio:=/mic/audio camera_info:=camera_info --wait-for /mic/audio --wait-timeout inf"
    )
    assert player.namespace == "head" and player.ends_launch is EndsLaunch.ON_FAILURE
    assert "--clock" in started(bag="b", use_sim_time="true")["bag_player"].arguments
    assert started(bag="b", exit_with_bag="true")["bag_player"].ends_launch is EndsLaunch.ALWAYS


def test_what_is_switched_on_comes_along() -> None:
    assert set(started(microphone="true", rviz="true", rerun="true")) == {
        "perception",
        "microphone",
        "rerun_viewer",
        "rviz2",
    }
    assert started(rerun_file="a.rrd")["rerun_viewer"].arguments == ("--save", "a.rrd")


def test_the_tracker_sees_what_the_node_sees_by_the_same_networks() -> None:
    given = {
        "tracker": "true",
        "namespace": "head",
        "image": "/rgb",
        "audio": "/mic",
        "preset": "micro",
        "log_level": "debug",
    }
    tracker = started("/robot", **given)["tracker"]
    line = " ".join(tracker.ros_arguments())
    assert "-r image:=/rgb -r image/compressed:=/rgb/compressed" in line and "audio" not in line
    assert "-r __ns:=/head" in line and "-p preset:=micro" in line
    assert tracker.log_levels == {"robot.head.tracker": "debug"} and tracker.ends_launch is EndsLaunch.ALWAYS


def test_the_locator_gets_depth_and_calibration_of_the_camera() -> None:
    locator = started(locator="true", depth="/depth", camera_info="/rgb/camera_info", use_sim_time="true")["locator"]
    line = " ".join(locator.ros_arguments())
    assert "-r camera_info:=/rgb/camera_info -r depth:=/depth" in line and "-p use_sim_time:=true" in line


def test_a_node_that_respawns_does_not_end_the_launch() -> None:
    node = started(respawn="true")["perception"]
    assert node.respawn and node.ends_launch is EndsLaunch.NEVER
