"""What a listener may rely on: how late the client and the MCP server are after the topic, and how much memory they take.

    scripts/run python benchmarks/listeners.py
    scripts/run python benchmarks/listeners.py --collisions 10000 --memory-only

A process publishes collisions with two PNG masks of 640 x 480; each carries the time at which it was published as its
onset. Needs the package mcp for the row of the MCP server.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any

import psutil
import typer

from benchmarks.scaffold import ROOT, percentiles, print_header, print_row, where

_RATE_HZ = 2.0
_FAST_HZ = 50.0
_PUBLISH = """
import sys, time
import numpy as np, rclpy
from cs3_msgs.msg import Collision, CollisionMask
from std_msgs.msg import Header
from cs3_ros.conversions.images import mask_to_png
from cs3_ros.conversions.times import ns_to_stamp
from cs3_ros.qos import publication

count, rate_hz, listeners = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
rclpy.init()
node = rclpy.create_node("perception")
publisher = node.create_publisher(Collision, "~/collision", publication())
mask = np.zeros((480, 640), bool)
mask[100:200, 100:220] = True
masks = []
for role, box in ((1, (100, 100, 220, 200)), (4, (100, 100, 220, 200))):
    masks.append(CollisionMask(role=role, score=0.5, box=list(map(float, box)), mask_compressed=mask_to_png(mask, Header())))
msg = Collision(verdict=2, reason="closest_pair", detail="benchmark", masks=masks, preset="none", trained=True)
while publisher.get_subscription_count() < listeners:
    time.sleep(0.05)
time.sleep(2.0)
for _ in range(count):
    msg.onset = ns_to_stamp(time.time_ns())
    publisher.publish(msg)
    time.sleep(1.0 / rate_hz)
time.sleep(3.0)
"""


def publisher(count: int, rate_hz: float, listeners: int) -> subprocess.Popen[bytes]:
    """Publishes in a process of its own, once that many listen."""
    return subprocess.Popen([sys.executable, "-c", _PUBLISH, str(count), str(rate_hz), str(listeners)], cwd=ROOT)


def topic_delays(count: int) -> list[float]:
    """A plain subscription, the yardstick."""
    import rclpy
    from cs3_msgs.msg import Collision
    from rclpy.executors import SingleThreadedExecutor

    from cs3_ros.conversions.times import stamp_to_ns
    from cs3_ros.qos import publication

    delays: list[float] = []
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("plain", context=context)
    node.create_subscription(
        Collision,
        "/perception/collision",
        lambda msg: delays.append(1e-6 * (time.time_ns() - stamp_to_ns(msg.onset))),
        publication(100),
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    process = publisher(count, _RATE_HZ, 1)
    while len(delays) < count and process.poll() is None:
        executor.spin_once(timeout_sec=0.1)
    process.wait()
    executor.shutdown()
    context.shutdown()
    return delays


def client_delays(count: int, num_clients: int) -> list[float]:
    """The client's `listen`, each in a thread, all in this process."""
    from cs3_ros.client import CollisionClient

    delays: list[float] = []

    def listen(client: Any) -> None:
        listener = client.listen(timeout=60)
        for _ in range(count):
            collision = next(listener)
            delays.append(1e-6 * (time.time_ns() - collision.onset_ns))

    clients = [CollisionClient(patience_s=60, queue_size=1000) for _ in range(num_clients)]
    threads = [threading.Thread(target=listen, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    process = publisher(count, _RATE_HZ, num_clients)
    for thread in threads:
        thread.join()
    process.wait()
    for client in clients:
        client.close()
    return delays


def mcp_delays(count: int) -> list[float]:
    """`wait_for_collision` over stdio, from the publication to the answer in the model's client."""
    from mcp import Client, StdioServerParameters, stdio_client

    async def converse() -> list[float]:
        command = ["-m", "cs3_model.cli", "mcp"]
        server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ), cwd=ROOT)
        async with Client(stdio_client(server)) as model:
            process = publisher(count, _RATE_HZ, 1)
            delays: list[float] = []
            while len(delays) < count and process.poll() is None:
                answer = await model.call_tool("wait_for_collision", {"timeout_s": 5})
                if not answer.is_error and answer.structured_content["heard"]:  # else the publisher is not there yet
                    delays.append(1e3 * (time.time() - answer.structured_content["collision"]["onset_s"]))
            process.wait()
            return delays

    return asyncio.run(converse())


def slow_consumer_memory(count: int) -> list[tuple[int, float]]:
    """Memory of this process while a listener that never reads gets collisions; (collisions, MiB)."""
    from cs3_ros.client import CollisionClient

    process_info = psutil.Process()
    seen: list[tuple[int, float]] = []
    with CollisionClient(patience_s=60) as client:
        listener = client.listen()
        process = publisher(count, _FAST_HZ, 1)
        marks = sorted({count // 10, count // 2, count})
        while process.poll() is None:
            arrived = listener.num_dropped + 16
            if marks and arrived >= marks[0]:
                seen.append((marks.pop(0), process_info.memory_info().rss / 2**20))
            time.sleep(0.02)
        seen.append((listener.num_dropped + 16, process_info.memory_info().rss / 2**20))
    return seen


def main(
    count: Annotated[int, typer.Option(help="Collisions for each row of delays, two per second.")] = 200,
    collisions: Annotated[int, typer.Option(help="Collisions for the memory.")] = 10_000,
    memory_only: Annotated[bool, typer.Option(help="Leave out the delays.")] = False,
) -> None:
    """Print both tables."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    print(f"{where('rclpy', 'mcp')}\n")
    if not memory_only:
        rows: dict[str, Callable[[], list[float]]] = {
            "a plain subscription": lambda: topic_delays(count),
            "the client": lambda: client_delays(count, 1),
            "20 clients at once": lambda: client_delays(count, 20),
            "wait_for_collision of cs3 mcp": lambda: mcp_delays(count),
        }
        print_header("from the publication to", "count", "p50, ms", "p99, ms")
        for name, delays in rows.items():
            found = delays()
            print_row(name, str(len(found)), *percentiles(found, (50, 99)))
    print()
    print_header("collisions that a listener did not read", "memory of the process, MiB")
    for number, mib in slow_consumer_memory(collisions):
        print_row(str(number), f"{mib:.1f}")


if __name__ == "__main__":
    typer.run(main)
