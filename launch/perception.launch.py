"""Starts the perception node; optionally a microphone, a bag to replay, RViz, and Rerun.

Defaults live in config/perception.yaml: an argument left empty changes nothing there.
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

BOOLEANS = ["true", "false"]
OR_NOT_GIVEN = ""

ARGUMENTS = [
    DeclareLaunchArgument("preset", default_value="", description="networks and weights: a preset or a .yaml file"),
    DeclareLaunchArgument("device", default_value="", description="auto, cpu, cuda or cuda:N"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of all nodes and topics"),
    DeclareLaunchArgument("image", default_value="image", description="topic of the camera image"),
    DeclareLaunchArgument(
        "image_transport",
        default_value="",
        choices=[OR_NOT_GIVEN, "auto", "raw", "compressed"],
        description="form of the camera image; compressed takes the topic IMAGE/compressed",
    ),
    DeclareLaunchArgument("camera_info", default_value="camera_info", description="topic of the camera's calibration"),
    DeclareLaunchArgument("audio", default_value="audio", description="topic of the sound, any supported type"),
    DeclareLaunchArgument("microphone", default_value="false", choices=BOOLEANS, description="publish the sound card"),
    DeclareLaunchArgument("bag", default_value="", description="bag to replay; starts when the node listens"),
    DeclareLaunchArgument(
        "params_file", default_value="", description="YAML file of parameters that differ from config/perception.yaml"
    ),
    DeclareLaunchArgument(
        "use_sim_time", default_value="false", choices=BOOLEANS, description="take the time from /clock"
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="",
        choices=[OR_NOT_GIVEN, *BOOLEANS],
        description="configure and activate at start; false waits for lifecycle transitions",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="least severe messages that are logged",
    ),
    DeclareLaunchArgument(
        "respawn", default_value="false", choices=BOOLEANS, description="restart the node if it dies"
    ),
    DeclareLaunchArgument(
        "rerun", default_value="false", choices=BOOLEANS, description="show everything in Rerun (needs rerun-sdk)"
    ),
    DeclareLaunchArgument("rerun_file", default_value="", description="write it to this .rrd file instead"),
    DeclareLaunchArgument(
        "rviz", default_value="false", choices=BOOLEANS, description="show image and overlay in RViz"
    ),
]


def given_parameters(context: LaunchContext) -> list[object]:
    """Those parameters that were given, of the file and of the arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ("preset", "device", "image_transport")}
    parameters: list[object] = [{name: value for name, value in given.items() if value}]
    if autostart := LaunchConfiguration("autostart").perform(context):
        parameters.append({"autostart": autostart == "true"})
    parameters.append({"use_sim_time": LaunchConfiguration("use_sim_time").perform(context) == "true"})
    if params_file := LaunchConfiguration("params_file").perform(context):
        parameters.insert(0, params_file)
    return [entry for entry in parameters if entry]


def input_remappings(context: LaunchContext) -> list[tuple[str, object]]:
    """The topics of the inputs."""
    image = LaunchConfiguration("image").perform(context)
    return [
        ("image", image),
        ("image/compressed", f"{image}/compressed"),
        ("camera_info", LaunchConfiguration("camera_info")),
        ("audio", LaunchConfiguration("audio")),
    ]


def perception_node(context: LaunchContext) -> list[Node]:
    """The node."""
    return [
        Node(
            package="cs3_ros",
            executable="perception",
            name="perception",
            namespace=LaunchConfiguration("namespace"),
            parameters=given_parameters(context),
            remappings=input_remappings(context),
            arguments=["--ros-args", "--log-level", ["perception:=", LaunchConfiguration("log_level")]],
            respawn=LaunchConfiguration("respawn").perform(context) == "true",
            respawn_delay=2.0,
            output="screen",
        )
    ]


def rerun_viewer(context: LaunchContext) -> list[Node]:
    """The recorder for Rerun, if it was asked for: it listens as the node does."""
    file = LaunchConfiguration("rerun_file").perform(context)
    if not file and LaunchConfiguration("rerun").perform(context) == "false":
        return []
    return [
        Node(
            package="cs3_ros",
            executable="rerun_viewer",
            name="rerun_viewer",
            namespace=LaunchConfiguration("namespace"),
            parameters=given_parameters(context),
            remappings=input_remappings(context),
            arguments=["--save", file] if file else [],
            output="screen",
        )
    ]


def bag_player(context: LaunchContext) -> list[Node]:
    """The player, if a bag was given."""
    bag = LaunchConfiguration("bag").perform(context)
    if not bag:
        return []
    clock = ["--clock"] if LaunchConfiguration("use_sim_time").perform(context) == "true" else []
    audio = LaunchConfiguration("audio").perform(context)  # the node subscribes to all its inputs at once
    arguments = [bag, "--wait-for", audio, "--wait-timeout", "300", *clock]
    return [
        Node(
            package="cs3_ros",
            executable="bag_player",
            namespace=LaunchConfiguration("namespace"),
            arguments=arguments,
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Everything that `ros2 launch cs3_ros perception.launch.py` starts."""
    microphone = Node(
        package="cs3_ros",
        executable="microphone",
        name="microphone",
        namespace=LaunchConfiguration("namespace"),
        remappings=[("audio", LaunchConfiguration("audio"))],
        condition=IfCondition(LaunchConfiguration("microphone")),
        output="screen",
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([FindPackageShare("cs3_ros"), "config", "perception.rviz"])],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription(
        [
            *ARGUMENTS,
            OpaqueFunction(function=perception_node),
            OpaqueFunction(function=bag_player),
            OpaqueFunction(function=rerun_viewer),
            microphone,
            rviz,
        ]
    )
