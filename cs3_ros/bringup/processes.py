"""From the arguments of a launch to its processes: pure, so that every launcher starts the same."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cs3_ros.bringup.arguments import Arguments, to_text


class EndsLaunch(enum.Enum):
    """Whether the end of a process is the end of the launch."""

    ALWAYS = "always"
    ON_FAILURE = "with a status other than 0"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One node to start."""

    package: str
    """ROS package that has the executable."""
    executable: str
    """Its console script or program."""
    ends_launch: EndsLaunch
    """What its end means."""
    name: str | None = None
    """Name of the node; None leaves it to the program."""
    namespace: str = ""
    """Namespace of the node; relative ones lie in the namespace that a launch file has pushed."""
    arguments: tuple[str, ...] = ()
    """Arguments of the program itself."""
    params_file: Path | None = None
    """Parameters that `parameters` override."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Values by name."""
    remappings: tuple[tuple[str, str], ...] = ()
    """Names inside the node, and those on the graph."""
    log_levels: Mapping[str, str] = field(default_factory=dict)
    """Least severe level by the name of the logger."""
    respawn: bool = False
    """Whether to start it again when it ends."""

    def ros_arguments(self) -> list[str]:
        """The command line behind the program's own arguments."""
        options = [("-r", f"{old}:={new}") for old, new in self.remappings]
        if self.name:
            options.append(("-r", f"__node:={self.name}"))
        if self.namespace:
            options.append(("-r", f"__ns:=/{self.namespace.strip('/')}"))
        if self.params_file:
            options.append(("--params-file", str(self.params_file)))
        options += [("-p", f"{name}:={to_text(value)}") for name, value in self.parameters.items()]
        options += [("--log-level", f"{logger}:={level}") for logger, level in self.log_levels.items()]
        return ["--ros-args", *(word for option in options for word in option)] if options else []


def full_node_name(arguments: Arguments, *, pushed_namespace: str = "", name: str = "perception") -> str:
    """Full name of a node of the launch.

    Args:
        arguments: Of the launch.
        pushed_namespace: That in which a launch file includes ours; an absolute `namespace` leaves it.
        name: Of the node.
    """
    parts = [arguments.namespace] if arguments.namespace.startswith("/") else [pushed_namespace, arguments.namespace]
    return "/" + "/".join(part.strip("/") for part in [*parts, name] if part.strip("/"))


def processes(arguments: Arguments, *, rviz_config: Path, pushed_namespace: str = "") -> list[Process]:
    """What a launch starts.

    Args:
        arguments: Of the launch.
        rviz_config: Display configuration.
        pushed_namespace: That in which a launch file includes ours.
    """
    started = [_perception(arguments, pushed_namespace)]
    if arguments.bag:
        started.append(_bag_player(arguments))
    if arguments.microphone:
        started.append(_microphone(arguments))
    if arguments.tracker:
        started.append(_tracker(arguments, pushed_namespace))
    if arguments.locator:
        started.append(_locator(arguments, pushed_namespace))
    if arguments.rerun or arguments.rerun_file:
        started.append(_rerun_viewer(arguments))
    if arguments.rviz:
        started.append(_rviz(arguments, rviz_config))
    return started


def _perception(arguments: Arguments, pushed_namespace: str) -> Process:
    return _with_params(
        arguments,
        "perception",
        parameters=arguments.node_parameters(),
        topics=_inputs(arguments),
        log_levels=_log_level(arguments, pushed_namespace, "perception"),
        respawn=arguments.respawn,
        ends_launch=EndsLaunch.NEVER if arguments.respawn else EndsLaunch.ALWAYS,
    )


def _bag_player(arguments: Arguments) -> Process:
    # Without a limit: a node that dies ends the launch, and with it the waiting.
    options = ["--inputs", f"image:={arguments.image}", f"audio:={arguments.audio}"]
    options += [f"camera_info:={arguments.camera_info}", "--wait-for", arguments.audio, "--wait-timeout", "inf"]
    if arguments.use_sim_time:
        options.append("--clock")
    return Process(
        package="cs3_ros",
        executable="bag_player",
        namespace=arguments.namespace,
        arguments=(arguments.bag, *options),
        ends_launch=EndsLaunch.ALWAYS if arguments.exit_with_bag else EndsLaunch.ON_FAILURE,
    )


def _microphone(arguments: Arguments) -> Process:
    return Process(
        package="cs3_ros",
        executable="microphone",
        name="microphone",
        namespace=arguments.namespace,
        remappings=(("audio", arguments.audio),),
        ends_launch=EndsLaunch.ALWAYS,
    )


def _tracker(arguments: Arguments, pushed_namespace: str) -> Process:
    """It sees what the perception node sees, by the same networks."""
    given = arguments.node_parameters()
    return _with_params(
        arguments,
        "tracker",
        parameters={name: given[name] for name in ("preset", "device") if name in given},
        topics={name: topic for name, topic in _inputs(arguments).items() if name.startswith("image")},
        log_levels=_log_level(arguments, pushed_namespace, "tracker"),
        ends_launch=EndsLaunch.ALWAYS,
    )


def _locator(arguments: Arguments, pushed_namespace: str) -> Process:
    return _with_params(
        arguments,
        "locator",
        topics={"camera_info": arguments.camera_info, "depth": arguments.depth},
        log_levels=_log_level(arguments, pushed_namespace, "locator"),
        ends_launch=EndsLaunch.ALWAYS,
    )


def _rerun_viewer(arguments: Arguments) -> Process:
    """It listens as the node does."""
    return _with_params(
        arguments,
        "rerun_viewer",
        arguments=("--save", arguments.rerun_file) if arguments.rerun_file else (),
        parameters=arguments.node_parameters(),
        topics=_inputs(arguments),
        ends_launch=EndsLaunch.ON_FAILURE,
    )


def _rviz(arguments: Arguments, config: Path) -> Process:
    return Process(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        namespace=arguments.namespace,
        arguments=("-d", str(config)),
        parameters=_sim_time(arguments),
        ends_launch=EndsLaunch.NEVER,
    )


def _with_params(
    launch: Arguments, name: str, *, topics: Mapping[str, str], parameters: Mapping[str, Any] | None = None, **rest: Any
) -> Process:
    """A node of ours that reads the params file.

    Args:
        launch: Arguments of the launch.
        name: Of the node and its executable.
        topics: Names on the graph by those inside the node.
        parameters: Values that override the params file, beside the clock.
        rest: Fields of the process.
    """
    return Process(
        package="cs3_ros",
        executable=name,
        name=name,
        namespace=launch.namespace,
        params_file=Path(launch.params_file) if launch.params_file else None,
        parameters={**(parameters or {}), **_sim_time(launch)},
        remappings=tuple((old, new) for old, new in topics.items() if old != new),
        **rest,
    )


def _inputs(arguments: Arguments) -> dict[str, str]:
    """Topics on the graph by their names inside the perception node."""
    names = {"image": arguments.image, "image/compressed": f"{arguments.image}/compressed"}
    return {**names, "camera_info": arguments.camera_info, "audio": arguments.audio}


def _log_level(arguments: Arguments, pushed_namespace: str, name: str) -> dict[str, str]:
    """A logger is named after the node and its namespaces."""
    node = full_node_name(arguments, pushed_namespace=pushed_namespace, name=name)
    return {node[1:].replace("/", "."): arguments.log_level}


def _sim_time(arguments: Arguments) -> dict[str, bool]:
    """Only where it was asked for, so that a `SetParameter` of a launch file around ours holds otherwise."""
    return {"use_sim_time": True} if arguments.use_sim_time else {}
