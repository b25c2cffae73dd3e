"""How a command runs a node that only spins: until Ctrl-C, with one line for what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from cs3_ros.distribution import ros_context

_Node = TypeVar("_Node", bound=Node)


def run_node(
    make_node: Callable[[], _Node], argv: Sequence[str] | None, *, name: str, close: Callable[[_Node], None]
) -> int:
    """Spins a node until Ctrl-C, then closes it; returns the exit status.

    Args:
        make_node: Makes the node; a ValueError or ParameterException of it is printed, and the status is 1.
        argv: Command line without the program's name; None takes that of the process.
        name: Of the command, for its errors.
        close: Ends the node. Not its `destroy_node`, where that needs more than a half-made node has: rclpy calls that
            also of a node whose making failed.
    """
    try:
        with ros_context(argv):
            node = make_node()
            try:
                rclpy.spin(node)
            finally:
                close(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (ValueError, ParameterException) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0
