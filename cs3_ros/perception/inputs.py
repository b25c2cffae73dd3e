"""What the perception node listens to: messages of any supported type become frames and blocks of sound."""

from __future__ import annotations

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
from cs3_ros.message_types import message_class
from cs3_ros.perception.health import Health
from cs3_ros.perception.parameters import audio_options, parameter_values
from cs3_ros.perception.topic_input import Handler, TopicInput

_IMAGE_TOPICS = {
    "auto": ("image", "image/compressed"),
    "raw": ("image",),
    "compressed": ("image/compressed",),
}
_IMAGE_DEPTH = 5
_AUDIO_DEPTH = 200


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
        topics = _IMAGE_TOPICS[node.get_parameter("image_transport").value]
        self._inputs = {
            "image": topic_input(topics, self._connect_image, depth=_IMAGE_DEPTH),
            "audio": topic_input(("audio",), self._connect_audio, depth=_AUDIO_DEPTH),
            "camera_info": topic_input(("camera_info",), self._connect_camera_info, depth=1, required=False),
        }

    def poll(self) -> None:
        """Looks at the graph and (re)subscribes; call it a few times per second."""
        for topic_input in self._inputs.values():
            topic_input.poll()

    def close(self) -> None:
        """Ends the subscriptions."""
        for topic_input in self._inputs.values():
            topic_input.close()

    def values(self) -> dict[str, object]:
        """What is subscribed and what the middleware lost, for the diagnostics."""
        values: dict[str, object] = {}
        for name, topic_input in self._inputs.items():
            values[f"{name}_source"] = topic_input.source
            values[f"{name}_lost"] = topic_input.num_lost
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
        self._on_frame(frame_from_msg(message))

    def _take_audio(self, message: Any, adapter: AudioAdapter) -> None:
        self._on_audio(adapter(message, arrival_ns=self._node.get_clock().now().nanoseconds))

    def _take_camera_info(self, message: CameraInfo) -> None:
        size_wh = (message.width, message.height)
        if all(self.image_size_wh) and size_wh != self.image_size_wh:
            raise ValueError(
                f"it says {size_wh[0]}x{size_wh[1]} but the image has {self.image_size_wh[0]}x{self.image_size_wh[1]}"
                " pixels: masks are in pixels of the image"
            )
