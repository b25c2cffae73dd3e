"""Command line of `make demo`: a clip through the real graph, to masks that one can look at.

The bag player replays a bag in a process of its own; the perception node, in another, hears collisions and publishes
masks; this process listens, prints a line per collision, and keeps everything in a folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
from cs3_msgs.msg import Collision
from rclpy.node import Node
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Image

from cs3_model.types import Verdict
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.bags.bag_writer import BagWriter
from cs3_ros.bags.video_to_bag import VideoToBag, video_to_bag
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.images import image_decoder
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.default_parameters import default_values
from cs3_ros.distribution import ros_context
from cs3_ros.qos import publication
from cs3_ros.replay.reading.bag_inputs import BagInputs, InputTopics
from cs3_ros.replay.reporting.video import ShownEvent, write_overlay_video
from cs3_ros.replay.running.node_process import COLLISION_TOPIC, NODE_NAME, OVERLAY_TOPIC, play_to_node

SHIPPED_BAG = Path(__file__).parent / "demo_bag"
"""Ten seconds of the simulated world with ground truth; docs/world.md says how it was made."""
_CAVEATS = {
    "debug": "The preset 'debug' has RANDOM WEIGHTS: times are real, masks mean nothing.",
    "micro": "The preset 'micro' knows simulation only and errs even there (docs/results.md); expect little of it elsewhere.",
}
IMAGE_TOPIC, AUDIO_TOPIC, TRUTH_TOPIC = "/image/compressed", "/audio", "/ground_truth/collision"


class CollisionListener(Node):
    """Prints each collision and keeps its overlay and its message."""

    def __init__(self, folder: Path, bag: BagWriter, time_zero_ns: int) -> None:
        super().__init__("demo")
        self.collisions: list[Collision] = []
        self._folder = folder
        self._bag = bag
        self._time_zero_ns = time_zero_ns
        self.create_subscription(Collision, COLLISION_TOPIC, self._on_collision, publication())
        self.create_subscription(Image, OVERLAY_TOPIC, self._on_overlay, publication())

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
    with ros_context([]), BagWriter(out / "results") as results:
        listener = CollisionListener(out, results, time_zero_ns)
        _watch(listener, bag, preset)
        messages = listener.collisions
        listener.destroy_node()
    _write_video(bag, out / "overlay.mp4", messages)
    return len(messages), counts.get(TRUTH_TOPIC)


def _write_video(bag: Path, path: Path, messages: Sequence[Collision]) -> None:
    shown = [
        ShownEvent(
            frame_ns=stamp_to_ns(message.header.stamp),
            result=lambda message=message: collision_from_msg(message),
            trained=message.trained,
        )
        for message in messages
        if message.masks
    ]
    with RecordedBag(bag) as recording:
        inputs = BagInputs(recording, InputTopics(audio=AUDIO_TOPIC, image=IMAGE_TOPIC), default_values())
        write_overlay_video(inputs.read(), path, shown)


def _watch(listener: CollisionListener, bag: Path, preset: str) -> None:
    """Starts the node, replays the bag through it, and listens until the last collision is in."""
    print(f"starting the perception node with the preset '{preset}' (loading the networks takes a while)", flush=True)
    inputs = (IMAGE_TOPIC, AUDIO_TOPIC)
    play_to_node(
        listener,
        node_arguments=("--ros-args", "-p", f"preset:={preset}", "--log-level", f"{NODE_NAME}:=error"),
        player_arguments=(str(bag), "--topics", *inputs, "--wait-for", *inputs),
        on_play=lambda: print(
            "replaying the bag; one line per collision: time, verdict, reason, time after the last audio, boxes",
            flush=True,
        ),
    )


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
    parser.add_argument("--preset", default="micro", help="preset of the perception node (default micro)")
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
    if arguments.preset in _CAVEATS:
        print(_CAVEATS[arguments.preset])
    return 0 if heard else 1


if __name__ == "__main__":
    sys.exit(main())
