"""The real node in a process of its own, a bag played to it by another, and a listener in this one."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from cs3_model.child_processes import start_module

NODE_NAME = "perception"
COLLISION_TOPIC, OVERLAY_TOPIC = f"{NODE_NAME}/collision", f"{NODE_NAME}/overlay"

START_TIMEOUT_S = 300.0
"""How long the node may take until its topics are there."""
_DRAIN_S = 4.0


def play_to_node(
    listener: Node,
    *,
    node_arguments: Sequence[str],
    player_arguments: Sequence[str],
    on_play: Callable[[], None] = lambda: None,
    on_spin: Callable[[int], None] = lambda pid: None,
) -> None:
    """Starts the perception node, plays a bag to it once it is ready, and spins the listener until the last result.

    Args:
        listener: Spun all the time; subscribe it to `COLLISION_TOPIC` before.
        node_arguments: Command line of `cs3_ros.perception.node`.
        player_arguments: Command line of `cs3_ros.bags.bag_player`.
        on_play: Called when the node is ready.
        on_spin: Called often while the bag is played, with the node's process id.

    Raises:
        ValueError: if the node or the player fails.
    """
    executor = SingleThreadedExecutor(context=listener.context)
    executor.add_node(listener)
    node = start_module("cs3_ros.perception.node", *node_arguments)
    player = None

    def spin_until(done: Callable[[], bool], timeout_s: float = float("inf"), complaint: str = "") -> None:
        deadline_s = time.monotonic() + timeout_s
        while not done():
            executor.spin_once(timeout_sec=0.05)
            if player is not None:
                on_spin(node.pid)
            if node.poll() is not None:
                raise ValueError("the perception node ended, see above")
            if time.monotonic() > deadline_s:
                raise ValueError(complaint)

    try:
        spin_until(
            lambda: listener.count_publishers(COLLISION_TOPIC) > 0,
            START_TIMEOUT_S,
            "the perception node did not start",
        )
        on_play()
        player = start_module("cs3_ros.bags.bag_player", *player_arguments)
        spin_until(lambda: player.poll() is not None)
        if player.returncode:
            raise ValueError(f"the bag player ended with status {player.returncode}")
        drained_s = time.monotonic() + _DRAIN_S
        spin_until(lambda: time.monotonic() > drained_s)
    finally:
        for process in (player, node):
            if process is not None:
                _stop(process)
        executor.shutdown()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
