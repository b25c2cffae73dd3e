"""Finds message types by name: as rclpy classes of installed packages, and as definitions that need no ROS."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
from pathlib import Path
from typing import Any

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.typesys import Stores, TypesysError, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

_PACKAGE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TYPE_NAME = re.compile(r"([a-z][a-z0-9_]*)/(?:msg/)?([A-Z][A-Za-z0-9]*)")
_SOURCE_MSG_DIR = Path(__file__).resolve().parents[1] / "msg" / "msg"


def message_class(type_name: str) -> Any:
    """Imports the rclpy class of a message type that is registered in the ament index.

    Names come from bags and from the graph. Only packages of the index are imported, and only from where the index says
    they are installed: a folder of the same name elsewhere on the path must not run.

    Args:
        type_name: For instance ``"sensor_msgs/msg/Image"``.

    Raises:
        ValueError: if the name is not of that form or the package is not installed or has no such message.
    """
    from ament_index_python.resources import get_resource, has_resource  # only this half of the module needs ROS

    match = _TYPE_NAME.fullmatch(type_name)
    if match is None:
        raise ValueError(f"message type {_shown(type_name)} is not of the form package/msg/Name")
    package, name = match.groups()
    if not has_resource("rosidl_interfaces", package):
        raise ValueError(
            f"message package {package} of {type_name} is not installed here: source its workspace or "
            f"install ros-$ROS_DISTRO-{package.replace('_', '-')}"
        )
    interfaces, prefix = get_resource("rosidl_interfaces", package)
    spec = importlib.util.find_spec(package)
    places = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    if not any(place.is_relative_to(prefix) for place in places):
        found = f"Python finds it at {places[0]}" if places else "Python does not find it"
        raise ValueError(f"message package {package} of {type_name} is installed in {prefix}, but {found}")
    module = importlib.import_module(f"{package}.msg")
    if f"msg/{name}.msg" not in interfaces.split() or not hasattr(module, name):
        raise ValueError(
            f"message package {package} at {places[0]} has no message {name}: "
            "another package of the same name may be installed"
        )
    return getattr(module, name)


def common_typestore() -> Typestore:
    """Returns rosbags' common ROS 2 message definitions, without those of cs3_msgs."""
    return get_typestore(Stores.ROS2_JAZZY)


def typestore_with_cs3_msgs() -> Typestore:
    """Returns rosbags' common ROS 2 message definitions together with those of cs3_msgs, without needing ROS.

    Raises:
        FileNotFoundError: if the definitions of cs3_msgs are neither installed nor in the source tree.
    """
    typestore = common_typestore()
    if not register_installed(typestore, "cs3_msgs"):
        raise FileNotFoundError("cs3_msgs is not installed: build it with colcon and source install/setup.bash")
    return typestore


def register_definition(typestore: Typestore, type_name: str, definition: MessageDefinition) -> None:
    """Adds a type, and those that it is made of, from the definition in a bag; known ones stay as they are."""
    parse = get_types_from_idl if definition.format is MessageDefinitionFormat.IDL else get_types_from_msg
    arguments = (definition.data,) if parse is get_types_from_idl else (definition.data, type_name)
    found = parse(*arguments)
    typestore.register({name: fields for name, fields in found.items() if name not in typestore.types})


def is_installed_definition(type_name: str, definition: MessageDefinition) -> bool:
    """Whether messages that a bag recorded by its definition of a type can be published as the installed type.

    True where nothing is known of one of the two. Constants may differ, fields not.
    """
    if definition.format is MessageDefinitionFormat.NONE:
        return True
    recorded = Typestore()
    try:
        register_definition(recorded, type_name, definition)
    except (ValueError, TypesysError):
        return True
    for name, (_, fields) in recorded.fielddefs.items():
        installed = _installed_definitions(name.partition("/")[0])
        if name in installed.fielddefs and fields != installed.fielddefs[name][1]:
            return False
    return True


@functools.cache
def _installed_definitions(package: str) -> Typestore:
    """The common definitions, with those of a package as it is installed; a process reads them once, as it imports."""
    typestore = common_typestore()
    register_installed(typestore, package)
    return typestore


def register_installed(typestore: Typestore, package: str) -> bool:
    """Adds the messages of an installed package, and those of cs3_msgs also from the source tree, as they are now."""
    return register_package(typestore, package, *([_SOURCE_MSG_DIR] if package == "cs3_msgs" else []))


def register_package(typestore: Typestore, package: str, *more_folders: Path) -> bool:
    """Adds the messages of an installed package, where its .msg files are installed too; returns whether they are.

    A name that is not one of a package, and could be a path, is of none.
    """
    if _PACKAGE_NAME.fullmatch(package) is None:
        return False
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    for folder in (*(prefix / "share" / package / "msg" for prefix in prefixes), *more_folders):
        if paths := sorted(folder.glob("*.msg")):
            for path in paths:
                text = path.read_text(encoding="utf-8")
                typestore.register(get_types_from_msg(text, f"{package}/msg/{path.stem}"))
            return True
    return False


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")
