"""The commands of `cs3` that need ROS 2: they live in cs3_ros, which is imported when one of them runs."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable

import typer

_MODULES = {
    "mcp": ("cs3_ros.mcp_server.command", "Serve what the perception node hears to a language model (docs/mcp.md)."),
}


def add_commands(app: typer.Typer) -> None:
    """Adds a command for each of these modules; it hands on all its arguments, --help among them."""
    for command, (module, summary) in _MODULES.items():
        settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
        app.command(command, help=f"{summary} Needs ROS 2.", context_settings=settings)(_runner(command, module))


def _runner(command: str, module: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        for needed, remedy in (("rclpy", "source a ROS 2 installation"), ("cs3_msgs", "build it (README.md)")):
            if importlib.util.find_spec(needed) is None:
                typer.echo(f"cs3 {command}: the module {needed} is missing: {remedy}", err=True)
                raise typer.Exit(1)
        sys.argv = [f"cs3 {command}", *context.args]
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return run
