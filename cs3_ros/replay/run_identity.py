"""What fixes an evaluation: the bag, the options, the versions of everything that computes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cs3_model.provenance import machine, package_versions, source_commit

_PACKAGES = ("torch", "numpy", "opencv-python-headless", "rosbags", "soxr", "ros-rclpy")


def versions() -> dict[str, str]:
    """The commit of the source tree, versions of ROS, of Python and of the packages that matter, and the machine."""
    return {
        "cs3": source_commit(),
        "ros_distro": os.environ.get("ROS_DISTRO") or "not set",
        **package_versions(*_PACKAGES),
        "machine": machine(),
    }


def bag_identity(path: Path) -> dict[str, Any]:
    """Path, sizes and times of the files of a bag: if these are the same, so is the bag."""
    files = [path] if path.is_file() else sorted(entry for entry in path.iterdir() if entry.is_file())
    return {
        "path": str(path.resolve()),
        "files": [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files],
    }
