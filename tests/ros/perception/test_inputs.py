"""The perception node takes every supported image and sound, from any publisher, and says what does not fit."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import AudioChunk, Collision, CollisionMask  # noqa: E402
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header, String  # noqa: E402

from cs3_ros.conversions.images import RAW_ENCODINGS, image_decoder, mask_from_msg  # noqa: E402
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns  # noqa: E402
from tests.ros.perception.perception_graph import (  # noqa: E402
    FPS,
    HEIGHT,
    HELD_XYXY,
    START_S,
    WIDTH,
    NodeProcess,
    jpeg_picture,
    picture,
    raw_picture,
)

pytestmark = pytest.mark.ros


def is_jazzy() -> bool:
    from rclpy import subscription

    return not hasattr(subscription, "MessageInfo")


def assert_two_objects(collision: Collision) -> None:
    assert collision.verdict == Collision.VERDICT_TWO_OBJECTS, collision.detail
    held = next(mask for mask in collision.masks if mask.role == CollisionMask.ROLE_RIGHT_HAND)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    x_min, y_min, x_max, y_max = map(int, HELD_XYXY)
    expected[y_min:y_max, x_min:x_max] = True
    np.testing.assert_array_equal(mask_from_msg(held.mask_compressed), expected)


def test_a_collision_carries_the_nearest_image_and_the_time_of_its_sound(make_perception) -> None:
    graph = make_perception()
    (onset_ns,) = graph.play(onsets_s=[0.437])
    graph.play(0.5, ())
    (collision,) = graph.wait_for_collisions(1)
    assert_two_objects(collision)
    assert stamp_to_ns(collision.onset) == pytest.approx(onset_ns, abs=3_000_000)
    assert stamp_to_ns(collision.header.stamp) == 1000 * NS_PER_S + 13 * NS_PER_S // FPS  # 0.433 s
    assert collision.header.frame_id == "camera"
    assert all(mask.mask_compressed.header == collision.header for mask in collision.masks)
    assert collision.preset == "debug" and collision.trained
    assert list(collision.models) == ["brightest spot", "fixed hands", "filled boxes"]
    assert collision.latency_ms >= 0 and len(collision.stage_ms) == len(collision.stage_names) == 8
    assert collision.stage_names[-1] == "encoding" and 0 < collision.stage_ms[-1] <= collision.latency_ms


@pytest.mark.parametrize("encoding", RAW_ENCODINGS)
def test_every_raw_encoding_becomes_a_collision(make_perception, encoding) -> None:
    """The pixels are those of the decoder, which has tests of its own: here they travel over the graph."""
    graph = make_perception()

    def image(stamp_ns: int) -> Image:
        message = raw_picture(stamp_ns)
        depth = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}.get(encoding, 0)
        has_planes = encoding in ("nv12", "nv21", "yuv420", "i420")
        depth = depth or (1 if encoding.startswith("bayer") or has_planes else 2)
        grey = picture()[..., 0]
        if has_planes:  # below the luminance half as many rows of colour, here none
            grey = np.concatenate([grey, np.full((HEIGHT // 2, WIDTH), 128, np.uint8)])
        message.encoding, message.step = encoding, depth * WIDTH
        message.data = np.repeat(grey[..., None], depth, axis=2).tobytes()
        return message

    expected = image_decoder(image(1))()
    collision = graph.play_until_collision(image=image)
    assert collision.verdict == Collision.VERDICT_TWO_OBJECTS, collision.detail
    assert expected.shape == (HEIGHT, WIDTH, 3) and mask_from_msg(collision.masks[0].mask_compressed).shape == (
        HEIGHT,
        WIDTH,
    )


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_compressed_images_are_taken_where_nobody_publishes_raw_ones(make_perception, extension) -> None:
    graph = make_perception()

    def image(stamp_ns: int) -> CompressedImage:
        data = cv2.imencode(extension, picture()[..., ::-1])[1].tobytes()
        return CompressedImage(header=raw_picture(stamp_ns).header, format=extension[1:], data=data)

    assert_two_objects(graph.play_until_collision(image=image, image_topic="/image/compressed"))
    _, values = graph.status()
    assert values["image_source"] == "image/compressed sensor_msgs/msg/CompressedImage"


def test_raw_images_win_as_soon_as_somebody_publishes_them(make_perception) -> None:
    graph = make_perception()
    graph.play_until_collision(image=jpeg_picture, image_topic="/image/compressed")
    graph.publisher(Image, "/image")
    assert_two_objects(graph.play_until_collision())
    assert graph.status()[1]["image_source"] == "image sensor_msgs/msg/Image"


def test_compressed_images_on_the_raw_topic_are_taken_by_their_type(make_perception) -> None:
    graph = make_perception()
    assert_two_objects(graph.play_until_collision(image=jpeg_picture))


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_the_transport_can_be_fixed(make_perception, transport) -> None:
    graph = make_perception(image_transport=transport)
    other = {"raw": "/image/compressed", "compressed": "/image"}[transport]
    publisher = graph.node.create_publisher(CompressedImage, other, 1)
    graph.wait_for_problem("nobody publishes /image" + ("/compressed" if transport == "compressed" else ""))
    assert publisher.get_subscription_count() == 0


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
@pytest.mark.parametrize("durability", [DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL])
def test_publishers_of_any_quality_of_service_are_heard(make_perception, reliability, durability) -> None:
    graph = make_perception()
    profile = QoSProfile(depth=1000, reliability=reliability, durability=durability)
    graph.publisher(Image, "/image", profile)
    graph.publisher(AudioChunk, "/audio", profile)
    assert_two_objects(graph.play_until_collision())


def test_a_best_effort_publisher_that_joins_a_reliable_one_is_heard_too(make_perception, graph) -> None:
    perception = make_perception()
    perception.play_until_collision()
    best_effort = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    late = graph.node.create_publisher(Image, "/image", best_effort)
    perception.wait_for(late.get_subscription_count, "the late publisher to be matched")
    before = int(perception.status()[1]["image_messages"])
    late.publish(raw_picture(perception.now_ns))
    perception.wait_for(lambda: int(perception.status()[1]["image_messages"]) > before, "its message")


def test_an_override_that_cannot_match_is_named(make_perception) -> None:
    graph = make_perception(**{"qos_overrides./image.subscription.reliability": "reliable"})
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = graph.node.create_publisher(Image, "/image", best_effort)
    problem = graph.wait_for_problem("quality of service")
    assert "RELIABILITY" in problem and "qos_overrides" in problem
    assert publisher.get_subscription_count() == 0


def test_an_override_that_is_nonsense_is_named_and_the_node_goes_on(make_perception) -> None:
    graph = make_perception(**{"qos_overrides./image.subscription.reliability": "trusty"})
    graph.node.create_publisher(Image, "/image", 1)
    assert "trusty" in graph.wait_for_problem("/image: ")


def test_a_missing_publisher_is_named_until_it_comes(make_perception) -> None:
    graph = make_perception()
    graph.wait_for_problem("nobody publishes /audio: start its driver or remap the topic")
    graph.wait_for_problem("nobody publishes /image or /image/compressed")
    graph.play_until_collision()
    _, values = graph.status()
    assert not any("publisher" in key for key in values)


def test_two_publishers_of_one_topic_are_named(make_perception) -> None:
    graph = make_perception()
    graph.play(0.2, ())
    graph.node.create_publisher(Image, "/image", 1)
    graph.wait_for_problem("/image has 2 publishers: their messages mix, keep one")


CAMERA = """
import sys, time, rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("camera")
publisher = node.create_publisher(Image, "/image", QoSProfile(depth=10))
while not publisher.get_subscription_count():
    time.sleep(0.01)
print("ready", file=sys.stderr, flush=True)
while True:
    stamp = node.get_clock().now().to_msg()
    image = Image(height=2, width=2, step=6, encoding="rgb8", data=bytes(12))
    image.header.stamp = stamp
    publisher.publish(image)
    time.sleep(0.05)
"""


@pytest.mark.skipif(is_jazzy(), reason="rclpy of Jazzy does not say who sent a message")
def test_a_publisher_that_was_killed_is_no_second_one_when_its_successor_comes(make_perception) -> None:
    graph = make_perception()
    levels: list[str] = []
    for _ in range(2):
        with NodeProcess(CAMERA) as camera:
            graph.wait_for(lambda camera=camera: camera.has_said("ready"), "the camera", START_S)
            end = time.monotonic() + 4.0
            while time.monotonic() < end:
                levels += [key for key in graph.status()[1] if "publishers" in key]
    assert graph.perception.count_publishers("/image") == 2, "the middleware still has both"
    assert not levels


def test_bytes_that_are_no_message_are_counted_and_the_next_message_is_used(make_perception) -> None:
    """The bytes of a message are what travels; a broken publisher, or one of another definition, sends others."""
    graph = make_perception()
    audio = graph.publisher(AudioChunk, "/audio")
    image = graph.publisher(Image, "/image")
    sent = [b"", b"\0\1\0\0", b"no CDR at all", b"\0\1\0\0" + b"\xff" * 200]

    num_sent = 0

    def send() -> None:
        nonlocal num_sent
        num_sent += len(sent)
        for publisher in (audio, image):
            for data in sent:
                publisher.publish(data)

    problem = graph.wait_for_problem("are no cs3_msgs/msg/AudioChunk", send)
    assert "see that its publisher is sound and has the same definition" in problem
    graph.wait_for(lambda: graph.status()[1]["audio_undecodable"] == str(num_sent), "all of them to be counted")
    before = graph.status()[1]
    assert int(before["audio_messages"]) == num_sent and int(before["image_undecodable"]) >= len(sent)
    assert_two_objects(graph.play_until_collision())


def test_publishers_that_leave_together_are_one_line_and_no_error(make_perception) -> None:
    graph = make_perception()
    graph.play_until_collision()
    lines = graph.listen_to_log()
    begin_ns = graph.node.get_clock().now().nanoseconds
    for topic in ("/audio", "/image"):
        graph.node.destroy_publisher(graph.publisher(None, topic))
    graph.wait_for_problem("have left")
    status, values = graph.status()
    problems = [key for key in values if key.startswith("problem")]
    assert problems == ["problem: inputs: left"] and status.level == DiagnosticStatus.WARN
    assert "the publishers of /image or /image/compressed and /audio have left" in status.message
    graph.wait_for(lambda: any("have left" in line.msg for line in lines), "the line")
    said = [line.msg for line in lines if line.level >= 30 and stamp_to_ns(line.stamp) >= begin_ns]
    assert len(said) == 1 and "have left" in said[0]


def test_the_topics_that_are_expected_are_in_the_diagnostics_before_anything_is_published(make_perception) -> None:
    values = make_perception().status()[1]
    assert values["image_expected"] == "/image or /image/compressed"
    assert values["audio_expected"] == "/audio"


def test_a_topic_of_a_wrong_type_is_named_and_the_right_one_taken_later(make_perception) -> None:
    graph = make_perception()
    wrong = graph.node.create_publisher(String, "/audio", 1)
    problem = graph.wait_for_problem("std_msgs/msg/String")
    assert "accepted: cs3_msgs/msg/AudioChunk" in problem
    graph.node.destroy_publisher(wrong)
    assert_two_objects(graph.play_until_collision())


def test_types_mixed_on_one_topic_are_named(make_perception, graph) -> None:
    """The second graph is needed because one DDS participant refuses two types on one topic."""
    perception = make_perception()
    publishers = [
        perception.node.create_publisher(Image, "/image", 1),
        graph.node.create_publisher(CompressedImage, "/image", 1),
    ]
    problem = perception.wait_for_problem("publishers of different types")
    assert "sensor_msgs/msg/CompressedImage, sensor_msgs/msg/Image" in problem
    assert len(publishers) == 2


@pytest.mark.parametrize("image", [raw_picture, jpeg_picture])
def test_calibration_of_another_size_is_named(make_perception, image) -> None:
    graph = make_perception()
    graph.play_until_collision(image=image)
    publisher = graph.publisher(CameraInfo, "/camera_info", 1)
    info = CameraInfo(header=Header(frame_id="camera"), width=2 * WIDTH, height=2 * HEIGHT)
    problem = graph.wait_for_problem("masks are in pixels of the image", lambda: publisher.publish(info))
    assert f"{2 * WIDTH}x{2 * HEIGHT}" in problem and f"{WIDTH}x{HEIGHT}" in problem
