"""Reads a ROS parameter file as rcl does, and names what in it cannot be meant for the node."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cs3_ros.bringup.arguments import suggestion
from cs3_ros.default_parameters import OVERRIDES_OF_QOS, PARAMETERS_OF_RCLPY, default_values


def read_params_file(path: Path, *, node: str) -> dict[str, Any]:
    """The values that a parameter file has for the perception node.

    Args:
        path: The file.
        node: Full name of the node, such as ``/head/perception``.

    Returns:
        Values by name; later sections win. What rclpy itself declares is left out.

    Raises:
        ValueError: if the file cannot be read, is no parameter file, or has a name that the node does not have: in a
            section of this node any, in one for all nodes (``/**``) what is nearly the name of a parameter.
    """
    known = list(default_values())
    values: dict[str, Any] = {}
    sections = list(_sections(_read(path), path))
    for pattern, parameters in sections:
        if not _matches(pattern, node):
            continue
        for name, value in parameters.items():
            if name in PARAMETERS_OF_RCLPY or name.startswith(OVERRIDES_OF_QOS):
                continue
            is_shared = pattern.rpartition("/")[2] in ("*", "**")
            if name in known:
                values[name] = value
            elif not is_shared or difflib.get_close_matches(name, known, n=1):
                raise ValueError(f"{path}: {node} has no parameter {name}{suggestion(name, known)}")
    if not any(_matches(pattern, node) for pattern, _ in sections):
        _refuse_mistyped(path, node, [pattern for pattern, _ in sections])
    return values


def _refuse_mistyped(path: Path, node: str, patterns: Collection[str]) -> None:
    """No section is for this node: that is only right if none looks like it."""
    name = node.rpartition("/")[2]
    for pattern in patterns:
        if difflib.get_close_matches(pattern.rpartition("/")[2], [name], n=1):
            raise ValueError(f"{path}: its section {pattern} is not for {node}; write {node}: or /**/{name}:")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"params file {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"params file {path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} is no parameter file as in config/perception.yaml: it has no sections")
    return content


def _sections(content: Mapping[Any, Any], path: Path, above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Patterns of node names with their parameters, in the file's order."""
    for key, below in content.items():
        pattern = f"{above}/{str(key).strip('/')}"
        if not isinstance(below, Mapping):
            raise ValueError(f"{path} is no parameter file as in config/perception.yaml: {pattern} holds no section")
        if "ros__parameters" not in below:
            yield from _sections(below, path, pattern)
            continue
        if others := [str(name) for name in below if name != "ros__parameters"]:
            raise ValueError(f"{path}: {others[0]} of {pattern} must lie below ros__parameters")
        parameters = below["ros__parameters"]
        if not isinstance(parameters, Mapping):
            raise ValueError(f"{path}: ros__parameters of {pattern} holds no names")
        yield pattern, dict(_flat(parameters))


def _flat(parameters: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _matches(pattern: str, node: str) -> bool:
    """Whether a pattern is for a node: `*` stands for one part of its name, `**` for any number of them."""
    expression = re.escape(pattern).replace(r"/\*\*", r"(/[^/]+)*").replace(r"\*", r"[^/]+")
    return re.fullmatch(expression, node) is not None
