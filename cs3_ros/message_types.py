"""Finds message types by name: as rclpy classes of installed packages, and as definitions that need no ROS."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

_SOURCE_MSG_DIR = Path(__file__).resolve().parents[1] / "msg" / "msg"


def message_class(type_name: str) -> Any:
    """Imports the rclpy class of a message type.

    Args:
        type_name: For instance ``"sensor_msgs/msg/Image"``.

    Raises:
        ValueError: if the name is not of that form or the package is not installed or has no such message.
    """
    package, _, name = type_name.replace("/msg/", "/").partition("/")
    if not package or not name.isidentifier():
        raise ValueError(f"message type {type_name!r} is not of the form package/msg/Name")
    try:
        module = importlib.import_module(f"{package}.msg")
    except ImportError as error:
        raise ValueError(
            f"message package {package} of {type_name} is not installed here ({error}): source its workspace or "
            f"install ros-$ROS_DISTRO-{package.replace('_', '-')}"
        ) from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise ValueError(
            f"message package {package} at {Path(str(module.__file__)).parent} has no message {name}: "
            "another package of the same name may be installed"
        ) from None


def typestore_with_cs3_msgs() -> Typestore:
    """Returns rosbags' common ROS 2 message definitions together with those of cs3_msgs, without needing ROS.

    Raises:
        FileNotFoundError: if the definitions of cs3_msgs are neither installed nor in the source tree.
    """
    typestore = get_typestore(Stores.ROS2_JAZZY)
    for path in _cs3_definitions():
        typestore.register(get_types_from_msg(path.read_text(encoding="utf-8"), f"cs3_msgs/msg/{path.stem}"))
    return typestore


def _cs3_definitions() -> list[Path]:
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    folders = [prefix / "share" / "cs3_msgs" / "msg" for prefix in prefixes] + [_SOURCE_MSG_DIR]
    for folder in folders:
        if definitions := sorted(folder.glob("*.msg")):
            return definitions
    raise FileNotFoundError("cs3_msgs is not installed: build it with colcon and source install/setup.bash")
