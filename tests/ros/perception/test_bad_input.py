"""Whatever arrives, the perception node names it in the diagnostics and answers the next good collision."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from builtin_interfaces.msg import Time  # noqa: E402
from cs3_msgs.msg import AudioChunk, Collision  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from tests.ros.perception.perception_graph import WIDTH, jpeg_picture, raw_picture, sound_chunk  # noqa: E402

pytestmark = pytest.mark.ros

SECOND_NS = 1_000_000_000


def changed(make: Callable[..., Any], **fields: Any) -> Callable[[int], Any]:
    """A maker of messages with some fields replaced."""

    def make_changed(stamp_ns: int) -> Any:
        message = make(stamp_ns)
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    return make_changed


def unstamped(make: Callable[[int], Any]) -> Callable[[int], Any]:
    def make_unstamped(stamp_ns: int) -> Any:
        message = make(stamp_ns)
        message.header.stamp = Time()
        return message

    return make_unstamped


def chunk(stamp_ns: int) -> AudioChunk:
    return sound_chunk(np.zeros(320), stamp_ns)


NAN_SAMPLES = array("B", np.full(320, np.nan, np.float32).tobytes())
INTEGERS_AS_FLOATS = array("B", np.full(320, 12_000.0, np.float32).tobytes())

BAD_IMAGES = {
    "unknown encoding": (changed(raw_picture, encoding="rgb9"), "encoding 'rgb9' is not supported"),
    "depth image": (changed(raw_picture, encoding="16UC1"), "depth image: connect the colour camera"),
    "step too small": (changed(raw_picture, step=3 * WIDTH - 1), f"step must be at least {3 * WIDTH}"),
    "data too short": (changed(raw_picture, data=array("B", b"12")), "bytes for encoding rgb8, got 2"),
    "no pixels": (changed(raw_picture, width=0, height=0), "is empty: height 0, width 0"),
    "odd width of yuv422": (changed(raw_picture, encoding="yuv422", width=WIDTH - 1), "width must be even"),
    "height beyond the data": (changed(raw_picture, height=2**32 - 1), "Image.data must hold"),
    "no stamp": (unstamped(raw_picture), "the stamp is zero"),
}
BAD_COMPRESSED_IMAGES = {
    "text as jpeg": (changed(jpeg_picture, data=array("B", b"not found")), "holds neither JPEG nor PNG"),
    "no data": (changed(jpeg_picture, data=array("B")), "has no data"),
    "compressed depth": (changed(jpeg_picture, format="16UC1; compressedDepth png"), "is a depth image"),
    "no stamp": (unstamped(jpeg_picture), "the stamp is zero"),
}
BAD_SOUNDS = {
    "zero rate": (changed(chunk, sample_rate=0), "sample rate must be 4000 to 768000 Hz, got 0"),
    "rate below the detector's": (changed(chunk, sample_rate=4000), "sample_rate_hz must be in [8000, 192000]"),
    "no channels": (changed(chunk, channels=0), "channels must be 1 to 64, got 0"),
    "odd byte count": (changed(chunk, data=array("B", b"123")), "multiple of 2 bytes"),
    "no data": (changed(chunk, data=array("B")), "got 0"),
    "unknown encoding": (changed(chunk, encoding="mp3"), "encoding 'mp3' is not supported"),
    "NaN": (changed(chunk, encoding="F32LE", data=NAN_SAMPLES), "must be finite"),
    "unscaled floats": (changed(chunk, encoding="F32LE", data=INTEGERS_AS_FLOATS), "peak of 1.2e+04"),
    "no stamp": (unstamped(chunk), "the stamp is zero"),
}


@pytest.mark.parametrize(
    "kind, topic, bad",
    [
        (Image, "/image", BAD_IMAGES),
        (CompressedImage, "/image/compressed", BAD_COMPRESSED_IMAGES),
        (AudioChunk, "/audio", BAD_SOUNDS),
    ],
    ids=["image", "compressed_image", "audio"],
)
def test_malformed_messages_are_named_one_by_one_and_the_next_collision_is_answered(
    make_perception, kind, topic, bad
) -> None:
    graph = make_perception()
    publisher = graph.publisher(kind, topic)
    for make, words in bad.values():
        graph.wait_for_problem(words, lambda make=make: publisher.publish(make(graph.now_ns)))
    name = topic.split("/")[1]
    taken = -1
    while taken != (taken := int(graph.status()[1][f"{name}_messages"])):
        pass  # what was sent too often still waits on a busy machine
    assert int(graph.status()[1][f"{name}_refused"]) >= len(bad)
    devices = {"image": jpeg_picture, "image_topic": topic} if kind is CompressedImage else {}
    assert graph.play_until_collision(**devices).verdict == Collision.VERDICT_TWO_OBJECTS


def test_a_truncated_jpeg_ends_its_event_only(make_perception) -> None:
    def truncated(stamp_ns: int) -> CompressedImage:
        message = jpeg_picture(stamp_ns)
        message.data = message.data[: len(message.data) // 2]
        return message

    graph = make_perception()
    collision = graph.play_until_collision(image=truncated)
    assert collision.verdict == Collision.VERDICT_NONE and collision.reason == "bad_frame"
    assert "truncated or damaged" in collision.detail
    assert not collision.masks and collision.header.stamp == collision.onset
    assert "truncated or damaged" in graph.wait_for_problem("a collision ended without masks")
    assert graph.play_until_collision(image=jpeg_picture).verdict == Collision.VERDICT_TWO_OBJECTS


def test_without_images_the_collision_says_so(make_perception) -> None:
    graph = make_perception()
    graph.play(image=None)
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "no_frame" and "check the image topic" in collision.detail
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS


def test_a_camera_on_another_clock_is_told_from_a_missing_one(make_perception) -> None:
    graph = make_perception()
    graph.play(image=lambda stamp_ns: raw_picture(stamp_ns - 5 * SECOND_NS))
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "no_frame" and "check that camera and microphone use one clock" in collision.detail


def test_missing_audio_around_the_onset_is_no_basis_for_masks(make_perception) -> None:
    graph = make_perception()
    graph.play(0.5, [0.4])
    graph.now_ns += SECOND_NS // 5
    graph.play(0.5, ())
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "audio_gap" and "0.200 s of the audio" in collision.detail
    assert graph.status()[1]["audio_gap"] == "1"


@pytest.mark.parametrize("jump_s", [-20.0, 60.0])
def test_stamps_that_jump_end_what_waits_and_the_next_collision_is_answered(make_perception, jump_s) -> None:
    """As when a bag is played in a loop, or a driver sets its clock."""
    graph = make_perception()
    graph.play(0.6, [0.5])
    graph.now_ns += round(jump_s * SECOND_NS)
    graph.play(0.5, ())
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "time_jump" and "jumped" in collision.detail
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS


def test_two_microphones_on_one_topic_do_not_end_the_node(make_perception) -> None:
    graph = make_perception()
    other = graph.node.create_publisher(AudioChunk, "/audio", 10)

    def both(samples: np.ndarray, stamp_ns: int) -> AudioChunk:
        other.publish(sound_chunk(samples, stamp_ns + 3_000_000))
        return sound_chunk(samples, stamp_ns)

    graph.play(sound=both)
    graph.wait_for_problem("/audio has 2 publishers")
    graph.node.destroy_publisher(other)
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS
