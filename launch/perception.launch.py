"""Starts the perception node; optionally a microphone, a bag to replay, RViz, and Rerun.

Arguments and processes are those of `cs3_ros.bringup`, which machines without launch start by the command `bringup`.
"""

from __future__ import annotations

from launch import LaunchDescription

from cs3_ros.bringup.ros_launch import bringup_description


def generate_launch_description() -> LaunchDescription:
    """Everything that `ros2 launch cs3_ros perception.launch.py` starts."""
    return bringup_description()
