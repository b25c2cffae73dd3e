"""Command line `bringup`: the launch file's arguments and processes on machines without `ros2 launch`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cs3_ros.bringup.arguments import Arguments, describe_arguments, read_arguments
from cs3_ros.bringup.checks import check, installed_rviz_config
from cs3_ros.bringup.processes import full_node_name, processes
from cs3_ros.bringup.supervisor import Supervisor

_USAGE = "usage: bringup [NAME:=VALUE ...], as with ros2 launch cs3_ros perception.launch.py; --show-args lists them"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the status of the process that ended it, 1 if something is missing, 0 on Ctrl-C."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help", "-s", "--show-args"} & set(argv):
        print(_USAGE)
        for described in describe_arguments():
            print(f"  {described.name}:={described.default}\n      {described.about}")
        return 0
    try:
        arguments = _read(argv)
        started = processes(arguments, rviz_config=installed_rviz_config())
        check(arguments, started, node=full_node_name(arguments))
    except ValueError as error:
        print(f"bringup: {error}", file=sys.stderr)
        return 1
    return Supervisor(started).run()


def _read(argv: Sequence[str]) -> Arguments:
    given = {}
    for argument in argv:
        name, separator, value = argument.partition(":=")
        if not separator:
            raise ValueError(f"{argument!r} is not of the form NAME:=VALUE; {_USAGE}")
        given[name] = value
    return read_arguments(given)


if __name__ == "__main__":
    sys.exit(main())
