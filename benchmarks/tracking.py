"""Whether following objects slows onsets: from the last needed sound to the publication, with and without a track.

    scripts/run python benchmarks/tracking.py --loops 20

The perception node and the tracker run with the preset `micro`, each in a process of its own; the demo bag is played
again and again. In every other loop the objects of the first collision are followed to the end of the bag, and the later
collisions are compared with the same ones of the loops without. So both are measured in one run, under one load.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import defaultdict
from typing import Annotated

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "96")

import numpy as np
import typer

from benchmarks.scaffold import percentiles, print_header, print_row, where
from cs3_model.child_processes import start_module
from cs3_ros.client import Collision, CollisionClient, PerceptionError
from cs3_ros.client.track import CollisionTrack

_IMAGES = "/image/compressed"
_FOLLOWED_S = 9.5
_START_S = 300.0
_RESAMPLES = 2000


class Followed:
    """Follows one collision at a time in a thread, and counts the frames."""

    def __init__(self, client: CollisionClient) -> None:
        self._client = client
        self.num_frames = 0
        self.followed_s = 0.0

    def begin(self, collision: Collision) -> None:
        threading.Thread(target=self._follow, args=(self._client.track(collision, _FOLLOWED_S),)).start()

    def _follow(self, track: CollisionTrack) -> None:
        first_ns = last_ns = 0
        try:
            for frame in track:
                first_ns, last_ns = first_ns or frame.stamp_ns, frame.stamp_ns
                self.num_frames += 1
        except PerceptionError:  # the bag begins again
            pass
        self.followed_s += 1e-9 * (last_ns - first_ns)


def measure(num_loops: int) -> tuple[dict[bool, dict[int, list[float]]], Followed]:
    """Latencies in ms by onset, with a track and without; the first loop warms up."""
    latencies_ms: dict[bool, dict[int, list[float]]] = {True: defaultdict(list), False: defaultdict(list)}
    with CollisionClient(patience_s=_START_S) as client:
        followed, last_ns, loop = Followed(client), 2**63, -1
        for collision in client.listen(timeout=_START_S):
            is_first = collision.onset_ns < last_ns
            last_ns = collision.onset_ns
            loop += is_first
            if loop > num_loops:
                break
            has_track = loop % 2 == 1
            if is_first and has_track and collision.objects:
                followed.begin(collision)
            if not is_first and loop > 0 and collision.objects:  # others end without being computed
                latencies_ms[has_track][collision.onset_ns].append(1e3 * collision.latency_s)
    return latencies_ms, followed


def ratio(latencies_ms: dict[bool, dict[int, list[float]]]) -> tuple[float, float, float]:
    """Median over the onsets of the ratio of medians, with a bootstrap interval of 95 %."""
    shared = sorted(latencies_ms[True].keys() & latencies_ms[False].keys())
    rng = np.random.default_rng(0)

    def drawn(resample: bool) -> float:
        def median(values: list[float]) -> float:
            return float(np.median(rng.choice(values, len(values)) if resample else values))

        return float(
            np.median([median(latencies_ms[True][onset]) / median(latencies_ms[False][onset]) for onset in shared])
        )

    low, high = np.quantile([drawn(True) for _ in range(_RESAMPLES)], (0.025, 0.975))
    return drawn(False), float(low), float(high)


def main(
    loops: Annotated[int, typer.Option(help="How often the bag is played, half of them with a track.")] = 20,
    rate: Annotated[
        float, typer.Option(help="Speed of the bag: a busy machine needs more time between collisions.")
    ] = 1.0,
) -> None:
    """Print the table."""
    before = where("torch", "rclpy")
    processes = [
        start_module("cs3_ros.perception.node", "--ros-args", "-p", "preset:=micro"),
        start_module("cs3_ros.tracking.node", "--ros-args", "-p", "preset:=micro"),
        start_module(
            "cs3_ros.bags.bag_player",
            "cs3_ros/demo_bag",
            "--loop",
            "--rate",
            str(rate),
            "--wait-timeout",
            str(_START_S),
            "--wait-for",
            "/audio",
            _IMAGES,
        ),
    ]
    try:
        latencies_ms, followed = measure(loops)
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait()
    print(f"{before}\n")
    print_header("last needed sound to publication", "collisions", "p50, ms", "p90, ms")
    for name, has_track in (("no track", False), ("a track runs", True)):
        values = [value for group in latencies_ms[has_track].values() for value in group]
        print_row(name, str(len(values)), *percentiles(values, (50, 90)))
    print(f"\nfollowed {followed.num_frames} images in {followed.followed_s:.0f} s of the bag")
    if latencies_ms[True].keys() & latencies_ms[False].keys():
        middle, low, high = ratio(latencies_ms)
        print(f"ratio of the medians: {middle:.3f} ({low:.3f} to {high:.3f})")
    else:
        print("no ratio: too few collisions ended with objects, see whether the machine is too busy")


if __name__ == "__main__":
    typer.run(main)
