"""How the process of the perception node runs: it loads while it answers, ends at once, and not by a hang."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from cs3_ros.distribution import ros_context

if TYPE_CHECKING:
    from cs3_ros.perception.node import PerceptionNode

_LAST_WORDS_S = 0.5
"""A node whose device hangs sends for so long what it said last."""


def run_until_stopped(make_node: Callable[[], PerceptionNode], argv: Sequence[str] | None) -> NoReturn:
    """Runs the node until Ctrl-C, SIGTERM or a hang, and ends the process.

    Args:
        make_node: Makes the node, in a context that is there already.
        argv: Command line without the program's name; None takes that of the process.
    """
    status = _run(make_node, argv)
    sys.stdout.flush()
    sys.stderr.flush()
    # To tear PyTorch down takes a second, and may crash under a thread that still computes.
    os._exit(status)


def _run(make_node: Callable[[], PerceptionNode], argv: Sequence[str] | None) -> int:
    try:
        return _run_in_context(make_node, argv)
    except KeyboardInterrupt:
        return 0
    except (ValueError, ParameterException) as error:
        print(f"perception: {error}", file=sys.stderr)
        return 1


def _run_in_context(make_node: Callable[[], PerceptionNode], argv: Sequence[str] | None) -> int:
    # rclpy's own handlers would end the context before the last events are published.
    with ros_context(argv, signals=SignalHandlerOptions.NO):
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.get_parameter("autostart").value and not _start_while_spinning(node, executor, stop):
            return 0 if stop.is_set() else 1
        while not stop.is_set() and not node.hang:
            executor.spin_once(timeout_sec=0.1)
        if node.hang:
            time.sleep(_LAST_WORDS_S)
            return 1  # to free what hangs may hang too
        node.destroy_node()
    return 0


def _start_while_spinning(node: PerceptionNode, executor: SingleThreadedExecutor, stop: threading.Event) -> bool:
    """Starts the node.

    Returns:
        Whether the node is active; False where it failed, having logged why, or `stop` was set, or a request gave
        loading up.
    """
    configured = node.configure_in_background()
    while not configured.done() and not stop.is_set():
        executor.spin_once(timeout_sec=0.1)
    if stop.is_set() or configured.result() is not TransitionCallbackReturn.SUCCESS:
        return False
    return node.trigger_activate() is TransitionCallbackReturn.SUCCESS
