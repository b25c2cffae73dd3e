"""The robot on the ROS graph: clock, camera and microphone are topics, at simulated time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import rclpy
from cs3_msgs.msg import AudioChunk
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cs3_model.child_processes import start_module
from cs3_model.types import Float32Array, UInt8Image
from cs3_ros.conversions.audio import AudioFormat, audio_chunk_msg
from cs3_ros.conversions.images import image_to_msg
from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp
from cs3_ros.distribution import ros_context
from cs3_ros.qos import publication
from examples.tapping_agent.world import FPS, RATE_HZ, Stretch

IMAGE_TOPIC, AUDIO_TOPIC = "/image", "/audio"
_CHUNK_S = 0.05
_FORMAT = AudioFormat(sample_rate_hz=RATE_HZ, channels=1, encoding="S16LE")
_LISTENING_S = 1.2
"""Before the first tap: the node learns how loud the background is."""
_START_S = 120.0
_SETTLING_S = 0.5
"""A subscription that the publisher knows may not know the publisher yet."""


class RobotTopics:
    """Publishes what the robot senses; its clock goes on only while it does."""

    def __init__(self, node: Node, *, speed: float) -> None:
        """Makes the publishers.

        Args:
            node: Where to publish; it need not spin.
            speed: How much faster than real time the robot lives.
        """
        self._speed = speed
        self._clock = node.create_publisher(Clock, "/clock", publication())
        self._images = node.create_publisher(Image, IMAGE_TOPIC, publication(100))
        self._audio = node.create_publisher(AudioChunk, AUDIO_TOPIC, publication(200))
        self.now_ns = 1000 * NS_PER_S

    def ready(self) -> bool:
        """Whether a node listens to all that it needs."""
        return all(topic.get_subscription_count() > 0 for topic in (self._clock, self._images, self._audio))

    def tell_time(self) -> None:
        """Publishes the clock."""
        self._clock.publish(Clock(clock=ns_to_stamp(self.now_ns)))

    def publish(self, samples: Float32Array, picture: UInt8Image) -> None:
        """Publishes a stretch of sound, float32 [T] at `RATE_HZ`, and what the camera sees meanwhile."""
        pcm = (samples * 32767).astype("<i2")
        size = round(_CHUNK_S * RATE_HZ)
        begin_s, begin_ns, next_image_ns = time.monotonic(), self.now_ns, self.now_ns
        for start in range(0, len(pcm), size):
            chunk = pcm[start : start + size]
            message = audio_chunk_msg(chunk.tobytes(), audio_format=_FORMAT, stamp_ns=self.now_ns)
            self.now_ns += len(chunk) * NS_PER_S // RATE_HZ
            self.tell_time()
            while next_image_ns < self.now_ns:
                self._images.publish(image_to_msg(picture, Header(stamp=ns_to_stamp(next_image_ns), frame_id="camera")))
                next_image_ns += NS_PER_S // FPS
            self._audio.publish(message)
            due_s = begin_s + (self.now_ns - begin_ns) / NS_PER_S / self._speed
            time.sleep(max(0.0, due_s - time.monotonic()))


class Taps(Protocol):
    """A world, or one that has happened already."""

    def rest(self, duration_s: float) -> Stretch:
        """Does nothing for a while."""

    def tap(self, index: int) -> Stretch:
        """Taps a look-alike once."""

    def point_at(self, index: int) -> Stretch:
        """Holds the stick over a look-alike."""


class Robot:
    """The agent's body: moves in the world, and publishes what comes of it. Its camera looks at the samples."""

    def __init__(
        self,
        world: Taps,
        record: Callable[[Stretch], Float32Array],
        picture: UInt8Image,
        topics: RobotTopics,
    ) -> None:
        self._world, self._record, self._picture, self._topics = world, record, picture, topics
        self.stretches: list[Stretch] = []
        self._do(world.rest(_LISTENING_S))

    def tap(self, index: int) -> int | None:
        """Taps a look-alike; returns when the stick felt it, nanoseconds of /clock, or None."""
        stretch, start_ns = self._world.tap(index), self._topics.now_ns
        self._do(stretch)
        if stretch.touch_s is None:
            return None
        return start_ns + round((stretch.touch_s - stretch.start_s) * NS_PER_S)

    def point_at(self, index: int) -> None:
        """Shows which look-alike was chosen."""
        self._do(self._world.point_at(index))

    def _do(self, stretch: Stretch) -> None:
        self.stretches.append(stretch)
        self._topics.publish(self._record(stretch), self._picture)


@contextmanager
def perception_graph(*, speed: float) -> Iterator[RobotTopics]:
    """Starts a perception node with the preset micro at simulated time; yields the topics once it listens to them.

    Raises:
        RuntimeError: if the node does not start.
    """
    arguments = ["--ros-args", "-p", "use_sim_time:=true"]
    arguments += ["-p", "preset:=micro", "-p", "image_transport:=raw", "--log-level", "perception:=error"]
    # The robot's time may run faster than a busy machine follows: nothing is to be lost or given up for that.
    arguments += ["-p", "patience_s:=10.0", "-p", f"qos_overrides.{IMAGE_TOPIC}.subscription.depth:=100"]
    context = rclpy.Context()
    with ros_context([], context=context):
        robot = rclpy.create_node("tapping_robot", context=context)
        topics = RobotTopics(robot, speed=speed)
        perception = start_module("cs3_ros.perception.node", *arguments)
        try:
            deadline_s = time.monotonic() + _START_S
            while not topics.ready():
                if perception.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError("the perception node did not start: see what it printed above")
                topics.tell_time()
                time.sleep(0.1)
            time.sleep(_SETTLING_S)
            yield topics
        finally:
            perception.terminate()
            try:
                perception.wait(20)
            except subprocess.TimeoutExpired:
                perception.kill()
                perception.wait()
            robot.destroy_node()
