"""Replays the bag that ships with the package through the perception node and shows it in RViz.

Takes the arguments of perception.launch.py, among them `bag:=` for another bag and `rviz:=false`.
"""

from __future__ import annotations

from launch import LaunchDescription

from cs3_ros.bringup.arguments import SHIPPED_BAG
from cs3_ros.bringup.ros_launch import bringup_description


def generate_launch_description() -> LaunchDescription:
    """The bag, the node and RViz."""
    return bringup_description({"preset": "micro", "bag": str(SHIPPED_BAG), "rviz": "true"})
