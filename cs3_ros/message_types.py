"""Finds message types by name: as rclpy classes of installed packages, and as definitions that need no ROS."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
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
    if not register_package(typestore, "cs3_msgs", _SOURCE_MSG_DIR):
        raise FileNotFoundError("cs3_msgs is not installed: build it with colcon and source install/setup.bash")
    return typestore


def register_definition(typestore: Typestore, type_name: str, definition: MessageDefinition) -> None:
    """Adds a type, and those that it is made of, from the definition in a bag; known ones stay as they are."""
    parse = get_types_from_idl if definition.format is MessageDefinitionFormat.IDL else get_types_from_msg
    arguments = (definition.data,) if parse is get_types_from_idl else (definition.data, type_name)
    found = parse(*arguments)
    typestore.register({name: fields for name, fields in found.items() if name not in typestore.types})


def register_package(typestore: Typestore, package: str, *more_folders: Path) -> bool:
    """Adds the messages of an installed package, where its .msg files are installed too; returns whether they are."""
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    for folder in (*(prefix / "share" / package / "msg" for prefix in prefixes), *more_folders):
        if paths := sorted(folder.glob("*.msg")):
            for path in paths:
                text = path.read_text(encoding="utf-8")
                typestore.register(get_types_from_msg(text, f"{package}/msg/{path.stem}"))
            return True
    return False
