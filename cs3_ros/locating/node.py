"""The node locator: collisions, depth, calibration and transforms in, places in the room out.

It stands beside the perception node, so that what it waits for and computes never delays an onset.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from cs3_msgs.msg import Collision, CollisionPlaces
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from cs3_model.places.rigid_transform import RigidTransform
from cs3_ros.conversions.depth import camera_from_msg
from cs3_ros.conversions.times import stamp_to_ns
from cs3_ros.heartbeat import beat
from cs3_ros.locating.locator import Locator, LocatorConfig, PlaceNotYetError
from cs3_ros.message_types import message_class
from cs3_ros.node_command import run_node
from cs3_ros.qos import publication, sensor_subscription

_POLL_S = 0.05
_MAX_WAITING = 16
"""Where more collisions wait for depth or transforms, the oldest are answered with what is there."""
_DEPTH_QUEUE = 5
_TRANSFORM_QUEUE = 100


class LocatorNode(Node):
    """Publishes `CollisionPlaces` for every `Collision` with masks."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__("locator", **node_options)
        defaults = LocatorConfig()
        config = LocatorConfig(
            frame=self.declare_parameter("frame", defaults.frame).value,
            plane_frame=self.declare_parameter("plane_frame", defaults.plane_frame).value,
            plane_height_m=self.declare_parameter("plane_height_m", defaults.plane_height_m).value,
            max_depth_offset_s=self.declare_parameter("max_depth_offset_s", defaults.max_depth_offset_s).value,
        )
        self._patience_s: float = self.declare_parameter("patience_s", 0.5).value
        self._locator = Locator(config)
        self._waiting: deque[tuple[float, Collision]] = deque()
        beat(self)
        self._places = self.create_publisher(CollisionPlaces, "~/places", publication())
        self.create_subscription(Collision, "perception/collision", self._on_collision, publication(_MAX_WAITING))
        self.create_subscription(
            CameraInfo, "camera_info", self._reported("camera_info", self._on_camera_info), sensor_subscription(1)
        )
        self.create_subscription(
            Image, "depth", self._reported("depth", self._locator.depths.push), sensor_subscription(_DEPTH_QUEUE)
        )
        self._follow_transforms()
        self.create_timer(_POLL_S, self._on_poll, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _follow_transforms(self) -> None:
        try:
            kind = message_class("tf2_msgs/msg/TFMessage")
        except ValueError as error:
            self.get_logger().warning(f"{error}; positions can only be told in the camera's frame")
            return
        static = publication(_TRANSFORM_QUEUE)
        static.durability = DurabilityPolicy.TRANSIENT_LOCAL
        self.create_subscription(
            kind, "/tf", self._reported("/tf", self.take_transforms), sensor_subscription(_TRANSFORM_QUEUE)
        )
        self.create_subscription(kind, "/tf_static", self._reported("/tf_static", self.take_static_transforms), static)

    def take_transforms(self, msg: Any) -> None:
        """Takes a tf2_msgs/TFMessage of /tf."""
        for stamped in msg.transforms:
            stamp_ns = stamp_to_ns(stamped.header.stamp)
            parent, child = stamped.header.frame_id, stamped.child_frame_id
            self._locator.transforms.add(parent, child, _transform(stamped.transform), stamp_ns=stamp_ns)

    def take_static_transforms(self, msg: Any) -> None:
        """Takes a tf2_msgs/TFMessage of /tf_static."""
        for stamped in msg.transforms:
            parent, child = stamped.header.frame_id, stamped.child_frame_id
            self._locator.transforms.add_static(parent, child, _transform(stamped.transform))

    def _reported(self, name: str, handle: Callable[[Any], None]) -> Callable[[Any], None]:
        """One bad message is reported and skipped."""

        def guarded(msg: Any) -> None:
            try:
                handle(msg)
            except ValueError as error:
                self.get_logger().error(f"{name}: {error}", throttle_duration_sec=5.0)

        return guarded

    def _on_camera_info(self, msg: CameraInfo) -> None:
        self._locator.camera = camera_from_msg(msg)

    def _on_collision(self, msg: Collision) -> None:
        if msg.masks:
            self._waiting.append((time.monotonic() + self._patience_s, msg))
            self._on_poll()

    def _on_poll(self) -> None:
        """Answers what can be answered; what waits too long is answered with what is there."""
        num_beyond = len(self._waiting) - _MAX_WAITING
        for place, (deadline_s, collision) in enumerate(list(self._waiting)):
            is_last_try = place < num_beyond or time.monotonic() >= deadline_s
            try:
                answer = self._locator.locate(collision, is_last_try=is_last_try)
            except PlaceNotYetError:
                continue
            except ValueError as error:
                self.get_logger().error(f"a collision cannot be read: {error}")
            else:
                self._places.publish(answer)
            self._waiting.remove((deadline_s, collision))


def _transform(transform: Any) -> RigidTransform:
    move, turn = transform.translation, transform.rotation
    return RigidTransform.from_quaternion((move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the node until Ctrl-C; returns its exit status."""
    return run_node(LocatorNode, argv, name="locator", close=LocatorNode.destroy_node)


if __name__ == "__main__":
    sys.exit(main())
