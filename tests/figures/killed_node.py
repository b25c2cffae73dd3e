"""A node that is killed soon after a client has met it: after how long a listener gives up.

scripts/run python -m tests.figures.killed_node --times 10
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Annotated

import typer

from cs3_ros.client import CollisionClient, PerceptionAbsentError

NODE = """
import rclpy
from cs3_msgs.msg import Collision
from cs3_ros.heartbeat import beat
from cs3_ros.qos import publication
rclpy.init()
node = rclpy.create_node("perception")
publisher = node.create_publisher(Collision, "~/collision", publication(10))
beat(node)
print("up", flush=True)
rclpy.spin(node)
"""
"""What a client sees of the perception node."""
DELAYS_S = (0.0, 0.02, 0.05, 0.1, 0.2, 0.8)


def give_up_s(delay_s: float) -> float:
    """From the kill to the listener's error, seconds; the kill comes so long after the client's graph shows the node."""
    with (
        subprocess.Popen([sys.executable, "-c", NODE], stdout=subprocess.PIPE) as node,
        CollisionClient() as client,
    ):
        assert node.stdout is not None
        try:
            node.stdout.readline()
            while not client._link._node.count_publishers("/perception/collision"):
                time.sleep(0.005)
            time.sleep(delay_s)
        finally:
            node.kill()
        killed_s = time.monotonic()
        try:
            next(client.listen(timeout=None))
        except PerceptionAbsentError:
            return time.monotonic() - killed_s
    raise AssertionError("a node that is dead was heard")


def main(times: Annotated[int, typer.Option(help="How often for each delay.")] = 5) -> None:
    """Print the longest waits."""
    for delay_s in DELAYS_S:
        waits_s = [give_up_s(delay_s) for _ in range(times)]
        typer.echo(f"killed {delay_s:.2f} s after they met: {times} listeners gave up within {max(waits_s):.2f} s")


if __name__ == "__main__":
    typer.run(main)
