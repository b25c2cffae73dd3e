"""How the commands of this package are run: typer reads their options, ROS gets its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

_ROS_ARGUMENTS = "--ros-args"


class RosCommand(TyperCommand):
    """Leaves ``--ros-args`` and what follows it unread: a command finds them in its `typer.Context.args`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        split = args.index(_ROS_ARGUMENTS) if _ROS_ARGUMENTS in args else len(args)
        super().parse_args(ctx, self.spell(args[:split]))
        ctx.args = args[split:]
        return args[split:]

    def spell(self, args: list[str]) -> list[str]:
        """Returns the command's own arguments as typer reads them."""
        return args


class SeveralValuesCommand(RosCommand):
    """Takes several values after an option that may be repeated: ``--topics A B`` is ``--topics A --topics B``."""

    def spell(self, args: list[str]) -> list[str]:
        several = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        spelled: list[str] = []
        option = ""
        for arg in args:
            if arg.startswith("-"):
                option = arg if arg in several else ""
            elif option and spelled[-1] != option:
                spelled.append(option)
            spelled.append(arg)
        return spelled


def run_command(
    command: Callable[..., None], argv: Sequence[str] | None, *, name: str, kind: type[TyperCommand] = TyperCommand
) -> int:
    """Runs a command.

    Args:
        command: Function with the options as typer's parameters; raises `typer.Exit` with a status other than 0.
        argv: The arguments; None takes those of the process.
        name: What the command is called in messages.
        kind: How its arguments are read.

    Returns:
        The exit status; 2 if the arguments are wrong.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(cls=kind)(command)
    try:
        app(list(sys.argv[1:] if argv is None else argv), prog_name=name)
    except SystemExit as end:
        return int(end.code or 0)
    return 0
