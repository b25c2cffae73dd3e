"""The arguments of a launch: the one table from which the launch files and the command line `bringup` are made."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cs3_model.preset_files import preset_names
from cs3_ros.default_parameters import default_values

SHIPPED_BAG = Path(__file__).parents[1] / "demo_bag"
"""The bag that ships with the package, wherever it was installed."""
_SWITCH = {"true": True, "false": False}
_TOPIC = re.compile(r"[~/]?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*|~")
_NAMESPACE = re.compile(r"/|/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*/?")


def _argument(default: object, about: str, *choices: str, of_node: bool = False) -> Any:
    """`of_node` marks a parameter of the node: what is not given leaves the params file's or the node's own value."""
    return field(default=default, metadata={"about": about, "choices": choices, "of_node": of_node})


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """What a launch starts, and how.

    Raises:
        ValueError: if a topic or a namespace cannot be one, or the arguments contradict each other.
    """

    preset: str | None = _argument(None, "networks and weights: auto, {presets}, or a .yaml file", of_node=True)
    device: str | None = _argument(None, "auto, cpu, cuda or cuda:N", of_node=True)
    namespace: str = _argument("", "namespace of all nodes and topics")
    image: str = _argument("image", "topic of the camera image")
    image_transport: str | None = _argument(
        None,
        "form of the camera image; compressed takes the topic IMAGE/compressed",
        *("auto", "raw", "compressed"),
        of_node=True,
    )
    camera_info: str = _argument("camera_info", "topic of the camera's calibration")
    audio: str = _argument("audio", "topic of the sound, any supported type")
    microphone: bool = _argument(False, "publish the sound card")
    bag: str = _argument("", "bag to replay to the topics above; starts when the node listens")
    exit_with_bag: bool = _argument(False, "end the launch when the bag ends")
    params_file: str = _argument("", "YAML file of parameters that differ from config/perception.yaml")
    use_sim_time: bool = _argument(False, "take the time from /clock; a bag that is replayed publishes it")
    autostart: bool | None = _argument(
        None, "configure and activate at start; false waits for lifecycle transitions", of_node=True
    )
    log_level: str = _argument(
        "info", "least severe messages that are logged", "debug", "info", "warn", "error", "fatal"
    )
    respawn: bool = _argument(False, "restart the node if it dies")
    tracker: bool = _argument(False, "follow the objects of a collision: the action tracker/track")
    locator: bool = _argument(False, "tell where in the room the objects are: the topic locator/places")
    depth: str = _argument("depth", "topic of the depth image that is aligned to the camera, for the locator")
    rerun: bool = _argument(False, "show everything in Rerun (needs rerun-sdk)")
    rerun_file: str = _argument("", "write it to this .rrd file instead")
    rviz: bool = _argument(False, "show image and overlay in RViz")

    def __post_init__(self) -> None:
        for name in ("image", "camera_info", "audio", "depth"):
            if not _TOPIC.fullmatch(getattr(self, name)):
                raise ValueError(f"{name}:={getattr(self, name)} is not the name of a topic")
        if self.namespace and not _NAMESPACE.fullmatch(self.namespace):
            raise ValueError(f"namespace:={self.namespace} is not a namespace: use letters, digits, _ and /")
        if self.microphone and self.bag:
            raise ValueError("microphone and bag would publish the same topic: choose one")
        if self.exit_with_bag and not self.bag:
            raise ValueError("exit_with_bag needs a bag")

    def node_parameters(self) -> dict[str, Any]:
        """The parameters of the node that were given."""
        given = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.metadata["of_node"]}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """One argument, for people."""

    name: str
    default: str
    """What holds without it; of the node's parameters that is their default in config/perception.yaml."""
    of_node: bool
    """Whether a params file may say otherwise."""
    about: str


def describe_arguments() -> list[Description]:
    """All arguments in the order of the table."""
    node_defaults = default_values()
    described = []
    for entry in fields(Arguments):
        of_node = entry.metadata["of_node"]
        about = entry.metadata["about"].format(presets=", ".join(preset_names()))
        if choices := entry.metadata["choices"] or (("true", "false") if _is_switch(entry) else ()):
            about += f" ({', '.join(choices)})"
        default = to_text(node_defaults[entry.name] if of_node else entry.default)
        described.append(Description(name=entry.name, default=default, of_node=of_node, about=about))
    return described


def read_arguments(given: Mapping[str, str]) -> Arguments:
    """Reads NAME:=VALUE arguments.

    Args:
        given: Values as text by name; empty means not given. `True` and `False` are taken like `true` and `false`.

    Raises:
        ValueError: if a name is unknown or a value cannot be.
    """
    table = {entry.name: entry for entry in fields(Arguments)}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in table:
            raise ValueError(f"there is no argument {name}{suggestion(name, table)}")
        if not text:
            continue
        choices = table[name].metadata["choices"]
        if _is_switch(table[name]):
            if text.lower() not in _SWITCH:
                raise ValueError(f"{name} must be true or false, got '{text}'")
            values[name] = _SWITCH[text.lower()]
        elif choices and text not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, got '{text}'")
        else:
            values[name] = text
    return Arguments(**values)


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the nearest right name, or all of them if none is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {near[0]}?" if near else f"; choose from {', '.join(known)}"


def to_text(value: object) -> str:
    """A value as it is written behind `:=`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_switch(entry: Any) -> bool:
    return "bool" in str(entry.type)
