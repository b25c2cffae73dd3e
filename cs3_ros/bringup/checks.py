"""What can be known to be missing before a process starts; each is one line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory

from cs3_model.preset_files import check_preset_name
from cs3_ros.bringup.arguments import Arguments
from cs3_ros.bringup.params_file import read_params_file
from cs3_ros.bringup.processes import Process

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def check(arguments: Arguments, processes: Sequence[Process], *, node: str) -> None:
    """Looks for what the launch needs.

    Args:
        arguments: Of the launch.
        processes: What it is about to start.
        node: Full name of the perception node.

    Raises:
        ValueError: if a file, a preset, or a program is missing or wrong.
    """
    values = read_params_file(Path(arguments.params_file), node=node) if arguments.params_file else {}
    values = {**values, **arguments.node_parameters()}
    if "preset" in values:
        check_preset_name(str(values["preset"]))
    if not _DEVICE.fullmatch(str(values.get("device", "auto"))):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got '{values['device']}'")
    if arguments.bag:
        check_bag(Path(arguments.bag))
    if arguments.rerun_file and not Path(arguments.rerun_file).absolute().parent.is_dir():
        raise ValueError(f"rerun_file: there is no folder {Path(arguments.rerun_file).parent}")
    for process in processes:
        if process.executable == "rviz2" and not Path(process.arguments[1]).is_file():
            raise ValueError(f"the configuration of RViz is missing: {process.arguments[1]}; rebuild with colcon")
        find_executable(process)


def check_bag(bag: Path) -> None:
    """Whether it looks like a bag; what is in it the player finds out.

    Raises:
        ValueError: if it does not.
    """
    if not bag.exists():
        raise ValueError(f"there is no bag {bag}")
    if bag.is_dir() and not (bag / "metadata.yaml").is_file():
        raise ValueError(f"{bag} is no bag: it has no metadata.yaml")
    if bag.is_file() and bag.suffix not in (".mcap", ".db3"):
        raise ValueError(f"{bag} is no ROS 2 bag: name the bag's folder, or one .mcap or .db3 file")


def find_executable(process: Process) -> Path:
    """Where a package has its executable.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        path = Path(get_package_prefix(process.package)) / "lib" / process.package / process.executable
    except PackageNotFoundError:
        hint = f"sudo apt install ros-$ROS_DISTRO-{process.package.replace('_', '-')}"
        raise ValueError(f"{process.package} is not installed: {hint}, or leave {process.executable} out") from None
    if not os.access(path, os.X_OK):
        raise ValueError(f"{process.package} has no executable {process.executable} at {path}: rebuild with colcon")
    return path


def installed_rviz_config() -> Path:
    """The display configuration that was installed with the package."""
    return Path(get_package_share_directory("cs3_ros")) / "config" / "perception.rviz"
