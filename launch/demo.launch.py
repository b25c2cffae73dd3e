"""Replays a bag through the perception node and shows it: perception.launch.py with a bag and a viewer."""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """The bag, the node and RViz."""
    perception = PathJoinSubstitution([FindPackageShare("cs3_ros"), "launch", "perception.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "bag", description="bag with an image and an audio topic, for instance from video_to_bag"
            ),
            DeclareLaunchArgument(
                "preset", default_value="", description="networks and weights: a preset or a .yaml file"
            ),
            DeclareLaunchArgument(
                "rviz", default_value="true", choices=["true", "false"], description="show image and overlay in RViz"
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(perception),
                launch_arguments={name: LaunchConfiguration(name) for name in ("bag", "preset", "rviz")}.items(),
            ),
        ]
    )
