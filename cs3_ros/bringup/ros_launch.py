"""The same arguments and processes as a launch description of `ros2 launch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch import LaunchContext, LaunchDescription, Substitution
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from cs3_ros.bringup.arguments import Description, describe_arguments, read_arguments
from cs3_ros.bringup.checks import check, installed_rviz_config
from cs3_ros.bringup.processes import EndsLaunch, Process, full_node_name, processes


class _NodesOwnDefault(Substitution):
    """Stands for an argument that was not given: empty when launched, the node's default when shown."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self._shown = shown

    def describe(self) -> str:
        """What --show-args prints."""
        return f"'{self._shown}', or what params_file says"

    def perform(self, context: LaunchContext) -> str:
        """Nothing, so that the parameter file decides."""
        return ""


def bringup_description(defaults: Mapping[str, str] | None = None) -> LaunchDescription:
    """Everything that a launch file starts.

    Args:
        defaults: Values of arguments that this launch file has instead of the table's.
    """
    described = describe_arguments()
    declared = [_declare(argument, (defaults or {}).get(argument.name)) for argument in described]
    names = [argument.name for argument in described]
    return LaunchDescription([*declared, OpaqueFunction(function=_start, args=[names])])


def _declare(argument: Description, default: str | None) -> DeclareLaunchArgument:
    shown = _NodesOwnDefault(argument.default) if argument.of_node else argument.default
    return DeclareLaunchArgument(
        argument.name, default_value=shown if default is None else default, description=argument.about
    )


def _start(context: LaunchContext, names: list[str]) -> list[Node]:
    """Checks everything before the first process starts: an error here ends the launch with status 1."""
    given = {name: LaunchConfiguration(name).perform(context) for name in names}
    if not given["use_sim_time"] or given["use_sim_time"].lower() == "false":
        # set for all nodes by a launch file around this one
        around = dict(context.launch_configurations.get("global_params", []))
        given["use_sim_time"] = str(around.get("use_sim_time", False))
    pushed = context.launch_configurations.get("ros_namespace", "")
    arguments = read_arguments(given)
    started = processes(arguments, rviz_config=installed_rviz_config(), pushed_namespace=pushed)
    check(arguments, started, node=full_node_name(arguments, pushed_namespace=pushed))
    return [_node(process) for process in started]


def _node(process: Process) -> Node:
    parameters: list[Any] = [str(process.params_file)] if process.params_file else []
    if process.parameters:
        parameters.append(dict(process.parameters))
    log_levels = [
        word for logger, level in process.log_levels.items() for word in ("--log-level", f"{logger}:={level}")
    ]

    def on_exit(event: ProcessExited, context: LaunchContext) -> list[EmitEvent]:
        if context.is_shutdown or process.respawn or process.ends_launch is EndsLaunch.NEVER:
            return []
        if event.returncode != 0:  # an error is the one way to a status other than 0
            raise RuntimeError(f"{process.executable} ended with status {event.returncode}")
        if process.ends_launch is EndsLaunch.ALWAYS:
            return [EmitEvent(event=Shutdown(reason=f"{process.executable} ended"))]
        return []

    return Node(
        package=process.package,
        executable=process.executable,
        name=process.name,
        namespace=process.namespace or None,
        parameters=parameters or None,
        remappings=list(process.remappings) or None,
        arguments=list(process.arguments),
        ros_arguments=log_levels,
        respawn=process.respawn,
        respawn_delay=2.0,
        output="screen",
        on_exit=on_exit,
    )
