"""What camera and microphone sent last, for a program that wants the pictures of collisions, or the present moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from cs3_model.audio_ring import AudioRing
from cs3_model.frame_ring import FrameRing
from cs3_model.types import AudioWindow, Frame, UInt8Image
from cs3_ros.client.errors import PerceptionSilentError
from cs3_ros.conversions.audio import AudioAdapter, audio_adapter
from cs3_ros.conversions.images import IMAGE_TYPES, frame_from_msg
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.message_types import message_class
from cs3_ros.qos import sensor_subscription

logger = logging.getLogger(__name__)

NOW_S = 2.0
"""The sound of `RecentInputs.now`, seconds."""
_LEAST_S = 0.2
_FRESH_S = 2.0
_SEARCH_S = 0.1
_IMAGE_DEPTH = 30  # each image may be the one that a collision names
_AUDIO_DEPTH = 200

_Connect = Callable[[str, str], None]


class RecentInputs:
    """Keeps the newest images, undecoded, and the newest sound. Thread-safe.

    Args:
        node: Subscribes, once the topics have publishers, and with them a type.
        image: Full name of the camera's topic, raw or compressed; None goes without.
        audio: Full name of the microphone's topic; None goes without.
        image_buffer_bytes: Memory for images.
    """

    def __init__(self, node: Node, *, image: str | None, audio: str | None, image_buffer_bytes: int) -> None:
        self._node = node
        self._topics = {"image": image, "audio": audio}
        self._arrival_s: dict[str, float] = {}
        self._lock = threading.Lock()
        self._frames = FrameRing(max_bytes=image_buffer_bytes)
        self._audio = AudioRing(span_s=2 * NOW_S)
        self._sought: dict[str, _Connect] = {}
        if image is not None:
            self._sought[image] = self._connect_image
        if audio is not None:
            self._sought[audio] = self._connect_audio
        if self._sought:
            self._search = node.create_timer(_SEARCH_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def image_at(self, stamp_ns: int) -> UInt8Image | None:
        """The image of exactly that time, RGB uint8 [H, W, 3]; None where it is not there or broken."""
        with self._lock:
            frame = self._frames.nearest(stamp_ns)
        if frame is None or frame.stamp_ns != stamp_ns:
            return None
        try:
            return frame.decode_image()
        except ValueError as error:
            logger.warning("the image of a collision cannot be read: %s", error)
            return None

    def now(self) -> tuple[Frame, AudioWindow]:
        """The last `NOW_S` seconds of sound, or what there is of them, and the image nearest to their middle.

        Raises:
            PerceptionSilentError: if one of them is missing or old; it says which and what to do.
            ValueError: if the image cannot be read.
        """
        self._check_fresh("image", "camera")
        self._check_fresh("audio", "microphone")
        with self._lock:
            start_ns, end_ns = self._audio.start_ns, self._audio.end_ns
            assert start_ns is not None and end_ns is not None  # a block came
            start_ns = max(start_ns, end_ns - round(NOW_S * NS_PER_S))
            if end_ns - start_ns < _LEAST_S * NS_PER_S:
                raise PerceptionSilentError(f"{self._topics['audio']} has only just begun: try again in a second")
            window, _ = self._audio.window(start_ns, end_ns)
            frame = self._frames.nearest((start_ns + end_ns) // 2)
        assert frame is not None  # an image came
        return frame.decode(), window

    def _check_fresh(self, name: str, device: str) -> None:
        topic = self._topics[name]
        if topic is None:
            raise PerceptionSilentError(
                f"the topic of the {device} is not known: give {name}=, the node's {name} topic"
            )
        arrival_s = self._arrival_s.get(name)
        if arrival_s is None:
            raise PerceptionSilentError(
                f"nothing has come from {topic} yet: see that the {device} runs, or name the right topic"
            )
        if (age_s := time.monotonic() - arrival_s) > _FRESH_S:
            raise PerceptionSilentError(f"nothing has come from {topic} for {age_s:.0f} s: see that the {device} runs")

    # --- in the thread of the node ---

    def _look(self) -> None:
        for topic, connect in list(self._sought.items()):
            for info in self._node.get_publishers_info_by_topic(topic):
                try:
                    connect(topic, info.topic_type)
                except ValueError as error:
                    logger.error("%s cannot be used: %s", topic, error)
                del self._sought[topic]
                break
        if not self._sought:
            self._node.destroy_timer(self._search)

    def _connect_image(self, topic: str, topic_type: str) -> None:
        if topic_type not in IMAGE_TYPES:
            raise ValueError(f"it is no image but {topic_type}: collisions come without images")
        kind = message_class(topic_type)
        self._node.create_subscription(kind, topic, self._keep_image, sensor_subscription(_IMAGE_DEPTH))

    def _connect_audio(self, topic: str, topic_type: str) -> None:
        kind, adapter = audio_adapter(topic_type)
        self._node.create_subscription(
            kind, topic, lambda msg: self._keep_audio(msg, adapter), sensor_subscription(_AUDIO_DEPTH)
        )

    def _keep_image(self, msg: Any) -> None:
        try:
            frame = frame_from_msg(msg)
        except ValueError as error:
            logger.warning("an image was skipped: %s", error)
            return
        with self._lock:
            self._frames.push(frame)
        self._arrival_s["image"] = time.monotonic()

    def _keep_audio(self, msg: Any, adapter: AudioAdapter) -> None:
        try:
            block = adapter(msg, arrival_ns=self._node.get_clock().now().nanoseconds)
            with self._lock:
                self._audio.push(block)
        except ValueError as error:
            logger.warning("a block of sound was skipped: %s", error)
            return
        self._arrival_s["audio"] = time.monotonic()
