"""What fixes an evaluation: the bag, the options, the versions of everything that computes."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("torch", "numpy", "opencv-python-headless", "rosbags", "soxr", "ros-rclpy")


def versions() -> dict[str, Any]:
    """Versions of ROS, of Python and of the packages that matter, the commit of the source tree, and the machine."""
    return {
        "cs3": source_commit(),
        "ros_distro": os.environ.get("ROS_DISTRO") or "not set",
        "python": platform.python_version(),
        **{name: version for name in _PACKAGES if (version := _version(name))},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def source_commit() -> str:
    """Of the source tree, or the version where the package is installed without one."""
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = ""
    return commit or f"version {_version('cs3_ros') or 'unknown'}"


def bag_identity(path: Path) -> dict[str, Any]:
    """Path, sizes and times of the files of a bag: if these are the same, so is the bag."""
    files = [path] if path.is_file() else sorted(entry for entry in path.iterdir() if entry.is_file())
    return {
        "path": str(path.resolve()),
        "files": [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
