"""Command line of `make demo`: a clip through the real graph, to masks that one can look at.

The bag player replays a bag in a process of its own; the perception node, in another, hears collisions and publishes
masks; this process prints a line per collision that its client hears of, and keeps what was published in a folder.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from cs3_msgs.msg import Collision as CollisionMsg
from rclpy.node import Node
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Image

from cs3_model.command_errors import one_line_errors
from cs3_model.picture_files import write_picture
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.bags.bag_writer import BagWriter
from cs3_ros.bags.video_to_bag import VideoToBag, video_to_bag
from cs3_ros.client import Collision, CollisionClient, PerceptionAbsentError
from cs3_ros.command_line import run_command
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.images import image_decoder
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.default_parameters import default_values
from cs3_ros.distribution import ros_context
from cs3_ros.qos import publication
from cs3_ros.replay.reading.bag_inputs import BagInputs, InputTopics
from cs3_ros.replay.reporting.video import ShownEvent, write_overlay_video
from cs3_ros.replay.running.node_process import COLLISION_TOPIC, NODE_NAME, OVERLAY_TOPIC, START_TIMEOUT_S, play_to_node

SHIPPED_BAG = Path(__file__).parent / "demo_bag"
"""Ten seconds of the simulated world with ground truth; docs/world.md says how it was made."""
_CAVEATS = {
    "debug": "The preset 'debug' has RANDOM WEIGHTS: times are real, masks mean nothing.",
    "micro": "The preset 'micro' knows simulation only and errs even there (docs/results.md); expect little of it elsewhere.",
}
IMAGE_TOPIC, AUDIO_TOPIC, TRUTH_TOPIC = "/image/compressed", "/audio", "/ground_truth/collision"


class ResultRecorder(Node):
    """Keeps what the node publishes: messages in a bag, overlays as pictures too."""

    def __init__(self, folder: Path, bag: BagWriter, time_zero_ns: int) -> None:
        super().__init__("demo")
        self.messages: list[CollisionMsg] = []
        self._folder = folder
        self._bag = bag
        self._time_zero_ns = time_zero_ns
        self.create_subscription(CollisionMsg, COLLISION_TOPIC, self._on_collision, publication())
        self.create_subscription(Image, OVERLAY_TOPIC, self._on_overlay, publication())

    def _on_collision(self, message: CollisionMsg) -> None:
        self.messages.append(message)
        self._bag.write("/perception/collision", message, stamp_to_ns(message.onset))

    def _on_overlay(self, message: Image) -> None:
        self._bag.write("/perception/overlay", message, stamp_to_ns(message.header.stamp))
        stamp_s = (stamp_to_ns(message.header.stamp) - self._time_zero_ns) / NS_PER_S
        write_picture(self._folder / f"overlay_{stamp_s:07.3f}s.png", image_decoder(message)())


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
    typer.echo(
        f"input: the bag {bag} with " + ", ".join(f"{count} x {topic}" for topic, count in sorted(counts.items()))
    )
    with ros_context([]), BagWriter(out / "results") as results, ThreadPoolExecutor(1) as thread:
        recorder = ResultRecorder(out, results, time_zero_ns)
        with CollisionClient(NODE_NAME, patience_s=START_TIMEOUT_S) as client:
            num_heard = thread.submit(_print_collisions, client.listen(), time_zero_ns)
            _play(recorder, bag, preset)
        messages = recorder.messages
        recorder.destroy_node()
    _write_video(bag, out / "overlay.mp4", messages)
    return num_heard.result(), counts.get(TRUTH_TOPIC)


def _print_collisions(collisions: Iterable[Collision], time_zero_ns: int) -> int:
    """Prints a line for each; returns how many there were."""
    heard = 0
    for collision in _until_the_node_ends(collisions):
        onset_s = (collision.onset_ns - time_zero_ns) / NS_PER_S
        verdict = collision.verdict.name.lower().replace("_", " ")
        boxes = "  ".join("[" + " ".join(f"{edge:.0f}" for edge in found.box_xyxy) + "]" for found in collision.objects)
        latency_ms = 1e3 * collision.latency_s
        typer.echo(f"{onset_s:7.3f} s   {verdict:<12} {collision.reason:<13} {latency_ms:4.0f} ms   {boxes}")
        heard += 1
    return heard


def _until_the_node_ends(collisions: Iterable[Collision]) -> Iterator[Collision]:
    """The demo ends its node after the last collision; a node that fails before is told by who started it."""
    with suppress(PerceptionAbsentError):
        yield from collisions


def _play(recorder: ResultRecorder, bag: Path, preset: str) -> None:
    """Starts the node, replays the bag through it, and records until the last collision is in."""
    typer.echo(f"starting the perception node with the preset '{preset}' (loading the networks takes a while)")
    inputs = (IMAGE_TOPIC, AUDIO_TOPIC)
    play_to_node(
        recorder,
        node_arguments=("--ros-args", "-p", f"preset:={preset}", "--log-level", f"{NODE_NAME}:=error"),
        player_arguments=(str(bag), "--topics", *inputs, "--wait-for", *inputs),
        on_play=lambda: typer.echo(
            "replaying the bag; one line per collision: time, verdict, reason, time after the last audio, boxes"
        ),
    )


def _write_video(bag: Path, path: Path, messages: Sequence[CollisionMsg]) -> None:
    shown = [
        ShownEvent(
            frame_ns=stamp_to_ns(message.header.stamp),
            result=partial(collision_from_msg, message),
            trained=message.trained,
        )
        for message in messages
        if message.masks
    ]
    with RecordedBag(bag) as recording:
        inputs = BagInputs(recording, InputTopics(audio=AUDIO_TOPIC, image=IMAGE_TOPIC), default_values())
        write_overlay_video(inputs.read(), path, shown)


def _clear(out: Path) -> None:
    """Removes what an earlier run left; never anything else."""
    if out.exists():
        if any(out.iterdir()) and not (out / ".cs3_demo").exists():
            raise ValueError(f"{out} holds something else: choose another folder with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / ".cs3_demo").touch()


def command(
    video: Annotated[
        Path | None, typer.Option(help="A video with sound.", show_default="a clip of the simulated world")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/demo"),
    preset: Annotated[str, typer.Option(help="Preset of the perception node.")] = "micro",
) -> None:
    """Replay a clip through the perception graph."""
    with one_line_errors("demo", status=1, kinds=(ValueError,)):
        heard, expected = run_demo(video, out, preset)
    of_all = f" of {expected}" if expected is not None else ""
    typer.echo(f"heard {heard}{of_all} collisions. Look at {out}:")
    typer.echo("  overlay.mp4      the clip with its sound, the masks shown at each collision")
    typer.echo("  overlay_*.png    what the node published for each collision")
    typer.echo("  results/         bag of the Collision messages and overlays")
    if preset in _CAVEATS:
        typer.echo(_CAVEATS[preset])
    if not heard:
        raise typer.Exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status, 130 on Ctrl-C."""
    return run_command(command, argv, name="demo")


if __name__ == "__main__":
    sys.exit(main())
