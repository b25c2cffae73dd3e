"""What differs between the distributions of ROS 2 that this package runs on; no other module asks which one it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode as RclpyLifecycleNode
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions


@contextmanager
def ros_context(
    args: Sequence[str] | None, *, context: rclpy.Context | None = None, signals: SignalHandlerOptions | None = None
) -> Iterator[None]:
    """Joins the ROS graph, and leaves it at the end of the block.

    `rclpy.init` is a context manager of its own from Kilted on only.

    Args:
        args: Command line without the program's name; None takes that of the process.
        context: What to initialise; None takes rclpy's default.
        signals: Which signals rclpy handles; None leaves the choice to rclpy.

    Raises:
        ValueError: if rclpy refuses the command line, a parameter file, or the environment (HOME, ROS_LOG_DIR,
            ROS_DOMAIN_ID): one line.
    """
    try:
        given = None if args is None else list(args)
        rclpy.init(args=given, context=context, signal_handler_options=signals)
    except Exception as error:  # classes without a common base, of which most are private and differ
        raise ValueError(f"ROS refuses to start: {_one_line(error)}") from error
    try:
        yield
    finally:
        rclpy.try_shutdown(context=context)


def _one_line(error: Exception) -> str:
    """What rcl says, without the places in its sources."""
    text = re.sub(r",? at \.?/\S+:\d+", "", str(error))
    return " ".join(text.split())


def sender_of(info: Mapping[str, Any]) -> bytes | None:
    """The id of a message's publisher, as `endpoint_gid` of the graph; None up to Jazzy, which does not say it.

    Args:
        info: What rclpy hands to a callback of two arguments.
    """
    sender = info.get("publisher_gid")
    return None if sender is None else bytes(sender["data"])


class LifecycleNode(RclpyLifecycleNode):
    """rclpy's, but a transition that the state does not allow is refused: up to Jazzy it ends the whole process."""

    # The names that rclpy.lifecycle gives its own private methods.
    def _LifecycleNodeMixin__change_state(self, transition_id: int) -> TransitionCallbackReturn:  # noqa: N802
        try:
            return super()._LifecycleNodeMixin__change_state(transition_id)  # type: ignore[misc]
        except rclpy_implementation.RCLError as error:
            self.get_logger().error(f"this transition does not start from the present state: {error}")
            return TransitionCallbackReturn.ERROR
