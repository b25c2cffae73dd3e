"""What the perception node listens to: messages of any supported type become frames and blocks of sound."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from cs3_model.frame_ring import StoredFrame
from cs3_model.types import AudioBlock
from cs3_ros.conversions.audio import AudioAdapter, audio_adapter
from cs3_ros.conversions.images import IMAGE_TYPES, frame_from_msg
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.message_types import message_class
from cs3_ros.perception.health import Health
from cs3_ros.perception.input_watch import InputWatch, WatchLimits
from cs3_ros.perception.parameters import audio_options, parameter_values
from cs3_ros.perception.topic_input import Handler, TopicInput

_IMAGE_TOPICS = {
    "auto": ("image", "image/compressed"),
    "raw": ("image",),
    "compressed": ("image/compressed",),
}
_LARGE_IMAGES = "config/fastdds_large_images.xml (FASTDDS_DEFAULT_PROFILES_FILE), or compressed images"
_LEAVING_S = 0.5
"""Publishers of one process leave within this time of each other."""
_IMAGE_DEPTH = 5
_AUDIO_DEPTH = 200


def expected_topics(node: Node) -> dict[str, str]:
    """Full names of the topics that each input can come from, whether or not the node listens yet."""
    return {name: " or ".join(map(node.resolve_topic_name, topics)) for name, topics in _topics(node).items()}


def _topics(node: Node) -> dict[str, tuple[str, ...]]:
    images = _IMAGE_TOPICS[node.get_parameter("image_transport").value]
    return {"image": images, "audio": ("audio",), "camera_info": ("camera_info",)}


class PerceptionInputs:
    """The node's subscriptions: image, audio, and the camera's calibration if there is one.

    Args:
        node: The node, with its parameters declared.
        health: Where problems are reported.
        on_audio: Takes a block of sound.
        on_frame: Takes an undecoded image.
    """

    def __init__(
        self,
        node: Node,
        health: Health,
        *,
        on_audio: Callable[[AudioBlock], None],
        on_frame: Callable[[StoredFrame], None],
    ) -> None:
        self.image_size_wh = (0, 0)
        """Size of the images, once one was decoded; the calibration is compared with it."""
        self._node = node
        self._on_audio, self._on_frame = on_audio, on_frame
        topic_input = partial(TopicInput, node, health=health, group=MutuallyExclusiveCallbackGroup())
        topics = _topics(node)
        self._inputs = {
            "image": topic_input(topics["image"], self._connect_image, depth=_IMAGE_DEPTH),
            "audio": topic_input(topics["audio"], self._connect_audio, depth=_AUDIO_DEPTH),
            "camera_info": topic_input(topics["camera_info"], self._connect_camera_info, depth=1),
        }

        values = parameter_values(node)
        self._health = health
        self._behind_ns: dict[str, int] = {}
        self._timeout_s, self._patience_s = values["input_timeout_s"], max(values["patience_s"], 0.1)
        shared = {"timeout_s": values["input_timeout_s"], "max_loss": values["max_input_loss"]}
        self._watches = {
            "image": InputWatch(
                "image",
                WatchLimits(min_rate_hz=values["min_image_rate_hz"], **shared),
                health,
                remedy_silence=f"see that the camera runs; raw images that are lost need {_LARGE_IMAGES}",
                remedy_loss=f"use {_LARGE_IMAGES}",
            ),
            "audio": InputWatch(
                "audio",
                WatchLimits(min_rate_hz=0.0, **shared),
                health,
                remedy_silence="see that the microphone is connected and its driver runs",
                remedy_loss="see that the driver keeps up, publishes reliably and stamps its blocks in order",
            ),
        }

    def poll(self, *, missing_s: float = 0.0, is_paused: bool = False) -> None:
        """Looks at the graph, (re)subscribes and watches what arrives; call it a few times per second.

        Args:
            missing_s: Sound that was missing between blocks so far, seconds.
            is_paused: Whether nothing has to arrive.
        """
        for topic_input in self._inputs.values():
            topic_input.poll()
        self._report_absence()
        for name, topic_input in self._inputs.items():
            if watch := self._watches.get(name):
                watch.num_messages, watch.num_accepted = topic_input.num_messages, topic_input.num_accepted
                watch.missing_s = missing_s if name == "audio" else 0.0
                watch.look(topic=topic_input.topic, num_lost=topic_input.num_lost, is_paused=is_paused)
        self._compare_clocks()

    def _report_absence(self) -> None:
        """Reports topics that nobody publishes; when all end together, as at the end of a bag, that is one event."""
        needed = {name: self._inputs[name] for name in self._watches}
        have_left = all(topic_input.absent_s and topic_input.num_messages for topic_input in needed.values())
        for name, topic_input in needed.items():
            patience_s = _LEAVING_S if topic_input.num_messages else 0.0
            if have_left or topic_input.absent_s <= patience_s:
                self._health.resolve(f"{name}: no publisher")
            else:
                self._health.warn(
                    f"{name}: no publisher",
                    f"nobody publishes {topic_input.expected}: start its driver or remap the topic",
                )
        if have_left:
            topics = " and ".join(topic_input.expected for topic_input in needed.values())
            self._health.warn("inputs: left", f"the publishers of {topics} have left: their bag or drivers ended")
        else:
            self._health.resolve("inputs: left")

    def _compare_clocks(self) -> None:
        """Reports stamps of the two inputs that lie too far from each other to meet."""
        behind_s = [self._behind_ns.get(name, 0) / NS_PER_S for name in ("image", "audio")]
        apart_s = behind_s[0] - behind_s[1]
        fresh = all(0.0 < watch.age_s < self._timeout_s and watch.num_accepted for watch in self._watches.values())
        if fresh and abs(apart_s) > self._patience_s:
            late, other = ("image", "sound") if apart_s > 0 else ("audio", "images")
            self._health.warn(
                "clocks",
                f"{late}: its stamps lie {abs(apart_s):.1f} s behind those of the {other}: "
                "it is delayed, or camera and microphone do not use one clock",
            )
        else:
            self._health.resolve("clocks")

    def close(self) -> None:
        """Ends the subscriptions."""
        for topic_input in self._inputs.values():
            topic_input.close()

    def values(self) -> dict[str, object]:
        """What is subscribed and what the middleware lost, for the diagnostics."""
        values: dict[str, object] = {}
        for name, topic_input in self._inputs.items():
            values[f"{name}_expected"] = topic_input.expected
            values[f"{name}_source"] = topic_input.source
            values[f"{name}_lost"] = topic_input.num_lost
            if watch := self._watches.get(name):
                values[f"{name}_rate_hz"] = round(watch.rate_hz, 1)
                values[f"{name}_age_s"] = round(watch.age_s, 1)
        return values

    def _connect_image(self, topic_type: str) -> tuple[type, Handler]:
        if topic_type not in IMAGE_TYPES:
            raise ValueError(f"the type {topic_type} is no image; accepted: {', '.join(IMAGE_TYPES)}")
        return message_class(topic_type), self._take_image

    def _connect_audio(self, topic_type: str) -> tuple[type, Handler]:
        message_type, adapter = audio_adapter(topic_type, **audio_options(parameter_values(self._node)))
        return message_type, lambda message: self._take_audio(message, adapter)

    def _connect_camera_info(self, topic_type: str) -> tuple[type, Handler]:
        if topic_type != "sensor_msgs/msg/CameraInfo":
            raise ValueError(f"the type {topic_type} is not sensor_msgs/msg/CameraInfo")
        return CameraInfo, self._take_camera_info

    def _take_image(self, message: Any) -> None:
        frame = frame_from_msg(message)
        self._watches["image"].note(_fingerprint(message.data))
        self._behind_ns["image"] = self._now_ns() - frame.stamp_ns
        self._on_frame(frame)

    def _take_audio(self, message: Any, adapter: AudioAdapter) -> None:
        block = adapter(message, arrival_ns=self._now_ns())
        first = block.samples.flat[0]
        self._watches["audio"].note(float(first) if (block.samples == first).all() else None)
        self._behind_ns["audio"] = self._now_ns() - block.stamp_ns
        self._on_audio(block)

    def _now_ns(self) -> int:
        return self._node.get_clock().now().nanoseconds

    def _take_camera_info(self, message: CameraInfo) -> None:
        size_wh = (message.width, message.height)
        if all(self.image_size_wh) and size_wh != self.image_size_wh:
            raise ValueError(
                f"it says {size_wh[0]}x{size_wh[1]} but the image has {self.image_size_wh[0]}x{self.image_size_wh[1]}"
                " pixels: masks are in pixels of the image"
            )


def _fingerprint(data: Any) -> tuple[int, int]:
    """Stands for the bytes of a picture; noise changes a few thousand of them for certain."""
    view = memoryview(data)
    middle = len(view) // 2
    return len(view), zlib.crc32(view[middle : middle + 4096], zlib.crc32(view[:4096]))
