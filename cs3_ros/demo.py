"""Command line of `make demo`: a clip through the real graph, to masks that one can look at.

The bag player replays a bag in a process of its own; the perception node, in another, hears collisions and publishes
masks; this process listens, prints a line per collision, and keeps everything in a folder.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import rclpy
from cs3_msgs.msg import Collision
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Image

from cs3_model.types import Verdict
from cs3_ros.bag_writer import BagWriter
from cs3_ros.conversions.images import image_decoder
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.demo_video import write_overlay_video
from cs3_ros.qos import publication
from cs3_ros.video_to_bag import VideoToBag, video_to_bag

SHIPPED_BAG = Path(__file__).parent / "demo_bag"
"""Ten seconds of the simulated world with ground truth; docs/world.md says how it was made."""
IMAGE_TOPIC, AUDIO_TOPIC, TRUTH_TOPIC = "/image/compressed", "/audio", "/ground_truth/collision"

_READY_TIMEOUT_S = 300.0
_DRAIN_S = 4.0


class CollisionListener(Node):
    """Prints each collision and keeps its overlay and its message."""

    def __init__(self, folder: Path, bag: BagWriter, time_zero_ns: int) -> None:
        super().__init__("demo")
        self.collisions: list[Collision] = []
        self._folder = folder
        self._bag = bag
        self._time_zero_ns = time_zero_ns
        self.create_subscription(Collision, "perception/collision", self._on_collision, publication())
        self.create_subscription(Image, "perception/overlay", self._on_overlay, publication())

    @property
    def hears_the_node(self) -> bool:
        """Whether the perception node is there and publishes."""
        return self.count_publishers("perception/collision") > 0

    def _on_collision(self, message: Collision) -> None:
        self.collisions.append(message)
        self._bag.write("/perception/collision", message, stamp_to_ns(message.onset))
        boxes = "  ".join("[" + " ".join(f"{edge:.0f}" for edge in mask.box) + "]" for mask in message.masks)
        onset_s = (stamp_to_ns(message.onset) - self._time_zero_ns) / NS_PER_S
        verdict = Verdict(message.verdict).name.lower().replace("_", " ")
        print(
            f"{onset_s:7.3f} s   {verdict:<12} {message.reason:<13} {message.latency_ms:4.0f} ms   {boxes}", flush=True
        )

    def _on_overlay(self, message: Image) -> None:
        self._bag.write("/perception/overlay", message, stamp_to_ns(message.header.stamp))
        stamp_s = (stamp_to_ns(message.header.stamp) - self._time_zero_ns) / NS_PER_S
        image = cv2.cvtColor(image_decoder(message)(), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(self._folder / f"overlay_{stamp_s:07.3f}s.png"), image)


def run_demo(video: Path | None, out: Path, preset: str) -> tuple[int, int | None]:
    """Runs the demo.

    Args:
        video: A video with sound; None takes the clip that ships with the package.
        out: Folder for the results; what an earlier run left there is removed.
        preset: Preset of the perception node.

    Returns:
        The number of collisions that were heard, and how many there are where that is known.

    Raises:
        ValueError: if the video cannot be used, the folder is not the demo's, or a node fails.
    """
    _clear(out)
    bag = SHIPPED_BAG
    if video is not None:
        bag = out / "input"
        video_to_bag(video, bag, VideoToBag())
    with Reader(bag) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
        time_zero_ns = reader.start_time
    print(f"input: the bag {bag} with " + ", ".join(f"{count} x {topic}" for topic, count in sorted(counts.items())))
    with rclpy.init(args=[]), BagWriter(out / "results") as results:
        listener = CollisionListener(out, results, time_zero_ns)
        _watch(listener, bag, preset)
        messages = listener.collisions
        listener.destroy_node()
    write_overlay_video(bag, out / "overlay.mp4", messages)
    return len(messages), counts.get(TRUTH_TOPIC)


def _watch(listener: CollisionListener, bag: Path, preset: str) -> None:
    """Starts the node, replays the bag through it, and listens until the last collision is in."""
    executor = SingleThreadedExecutor()
    executor.add_node(listener)
    print(f"starting the perception node with the preset '{preset}' (loading the networks takes a while)", flush=True)
    node = _start(
        "cs3_ros.perception_node", "--ros-args", "-p", f"preset:={preset}", "--log-level", "perception:=error"
    )
    player = None
    try:
        _spin(executor, lambda: listener.hears_the_node, _READY_TIMEOUT_S, [node], "the perception node did not start")
        print("replaying the bag; one line per collision: time, verdict, reason, time after the last audio, boxes")
        inputs = (IMAGE_TOPIC, AUDIO_TOPIC)
        player = _start("cs3_ros.bag_player", str(bag), "--topics", *inputs, "--wait-for", *inputs)
        _spin(executor, lambda: player.poll() is not None, float("inf"), [node], "")
        if player.returncode:
            raise ValueError(f"the bag player ended with status {player.returncode}")
        drained_s = time.monotonic() + _DRAIN_S
        _spin(executor, lambda: time.monotonic() > drained_s, float("inf"), [node], "")
    finally:
        for process in (player, node):
            if process is not None:
                _stop(process)


def _start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", module, *arguments])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def _spin(executor, done, timeout_s: float, processes: list[subprocess.Popen[bytes]], message: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not done():
        executor.spin_once(timeout_sec=0.05)
        if any(process.poll() is not None for process in processes):
            raise ValueError("the perception node ended, see above")
        if time.monotonic() > deadline_s:
            raise ValueError(message)


def _clear(out: Path) -> None:
    """Removes what an earlier run left; never anything else."""
    if out.exists():
        if any(out.iterdir()) and not (out / ".cs3_demo").exists():
            raise ValueError(f"{out} holds something else: choose another folder with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / ".cs3_demo").touch()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="demo", description="Replays a clip through the perception graph.")
    parser.add_argument("--video", type=Path, help="a video with sound (default: a clip of the simulated world)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results (default out/demo)")
    parser.add_argument("--preset", default="debug", help="preset of the perception node (default debug)")
    arguments = parser.parse_args(argv)
    try:
        heard, expected = run_demo(arguments.video, arguments.out, arguments.preset)
    except ValueError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    of_all = f" of {expected}" if expected is not None else ""
    print(f"heard {heard}{of_all} collisions. Look at {arguments.out}:")
    print("  overlay.mp4      the clip with its sound, the masks shown at each collision")
    print("  overlay_*.png    what the node published for each collision")
    print("  results/         bag of the Collision messages and overlays")
    if arguments.preset == "debug":
        print("The preset 'debug' has RANDOM WEIGHTS: times are real, masks mean nothing.")
    return 0 if heard else 1


if __name__ == "__main__":
    sys.exit(main())
