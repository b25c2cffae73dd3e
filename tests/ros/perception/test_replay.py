"""The main job on a real clip: video, bag, player, graph, node, collisions."""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from sensor_msgs.msg import Image  # noqa: E402

from cs3_ros.bags.bag_reader import RecordedBag  # noqa: E402
from cs3_ros.bags.video_to_bag import IMAGE_FRAME_ID, VideoToBag, video_to_bag  # noqa: E402
from cs3_ros.conversions.images import mask_from_msg  # noqa: E402
from cs3_ros.conversions.times import stamp_to_ns  # noqa: E402
from tests.ros.perception.perception_graph import START_S, MediaGraph, NodeProcess  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WIDTH = 320
TIME_ZERO_S = 1000.0
NODE = "from cs3_ros.perception.node import main; main()"
PLAYER = "import sys; from cs3_ros.bags.bag_player import main; sys.exit(main())"


def seconds(path: Path, *columns: str) -> np.ndarray:
    with path.open() as file:
        return np.array([[float(row[column]) for column in columns] for row in csv.DictReader(file)])


def test_every_chop_of_a_real_clip_is_heard_once_and_seen_in_the_nearest_frame(shared_data, tmp_path) -> None:
    mir_eval = pytest.importorskip("mir_eval", reason="scores onsets")
    clip = shared_data("real/chopping.mp4")
    labels_s = seconds(shared_data("real/chopping.onsets.csv"), "onset_s")[:, 0]
    ignored_s = seconds(shared_data("real/chopping.ignore.csv"), "start_s", "end_s")
    bag = tmp_path / "chopping"
    video_to_bag(clip, bag, VideoToBag(width=WIDTH, time_zero_s=TIME_ZERO_S))
    frames_ns = image_stamps(bag)

    with closing(MediaGraph()) as graph, NodeProcess(NODE, "--ros-args", "-p", "preset:=debug") as node:
        overlays = graph.listen(Image, "/perception/overlay")
        graph.wait_for(lambda: node.has_said("nobody publishes /audio"), "the node", START_S)
        with NodeProcess(PLAYER, str(bag), "--wait-for", "/audio", "/image/compressed") as player:
            graph.wait_for(lambda: player.process.poll() is not None, "the end of the bag", START_S)
            assert player.process.returncode == 0, player.output()
        status = graph.status
        graph.wait_for(
            lambda: status()[1]["onsets_confirmed"] == str(len(graph.collisions)), "the end of every onset", START_S
        )
        assert node.has_said("RANDOM WEIGHTS")

    collisions = sorted(graph.collisions, key=lambda collision: stamp_to_ns(collision.onset))
    onsets_ns = np.array([stamp_to_ns(collision.onset) for collision in collisions])
    heard_s = onsets_ns / 1e9 - TIME_ZERO_S
    counted_s = heard_s[[not ((ignored_s[:, 0] <= time) & (time <= ignored_s[:, 1])).any() for time in heard_s]]
    f_measure, precision, recall = mir_eval.onset.f_measure(labels_s, counted_s, window=0.05)
    assert f_measure >= 0.95, (precision, recall, counted_s)
    assert (np.diff(onsets_ns) > 0).all()

    assert len(overlays) == sum(bool(collision.stage_names) for collision in collisions)
    for collision, onset_ns in zip(collisions, onsets_ns, strict=True):
        nearest_ns = frames_ns[np.abs(frames_ns - onset_ns).argmin()]
        assert stamp_to_ns(collision.header.stamp) == nearest_ns or collision.reason == "overload"
        assert collision.header.frame_id == IMAGE_FRAME_ID or collision.reason == "overload"
        assert not collision.trained and collision.preset == "debug"
        for mask in collision.masks:
            assert mask_from_msg(mask.mask_compressed).shape[1] == WIDTH
            assert mask.mask_compressed.header == collision.header
    assert sum(collision.reason == "overload" for collision in collisions) <= len(collisions) // 2


def image_stamps(path: Path) -> np.ndarray:
    """Stamps of all images of a bag, nanoseconds."""
    from cs3_ros.message_types import typestore_with_cs3_msgs

    typestore = typestore_with_cs3_msgs()
    with RecordedBag(path) as bag:
        name = "/image/compressed"
        kind = bag.topics[name].type_name
        messages = [typestore.deserialize_cdr(data, kind) for _, _, data in bag.messages({name})]
    return np.array([stamp_to_ns(message.header.stamp) for message in messages])
