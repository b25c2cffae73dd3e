"""The node tracker: collisions and images in, where their objects went out, as an action.

It stands beside the perception node, at the lowest priority, so that what it computes delays an onset as little as can be.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from cs3_msgs.action import TrackCollision
from cs3_msgs.msg import Collision
from rclpy.action.server import ActionServer, CancelResponse, ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from cs3_model.tracking.follower import (
    CannotFollowError,
    FollowedFrame,
    Follower,
    Following,
    FollowOutcome,
    FollowReason,
)
from cs3_model.tracking.tracker import Tracker
from cs3_ros.conversions.following import feedback_from_frame
from cs3_ros.conversions.images import IMAGE_TYPES, frame_from_msg
from cs3_ros.heartbeat import beat
from cs3_ros.message_types import message_class
from cs3_ros.node_command import run_node
from cs3_ros.perception.health import Health
from cs3_ros.perception.loading import in_executor
from cs3_ros.perception.topic_input import Handler, TopicInput
from cs3_ros.qos import publication
from cs3_ros.tracking.goals import RecentCollisions

_POLL_S = 0.1
_DIAGNOSTICS_S = 1.0
_IMAGE_DEPTH = 5
_COLLISION_DEPTH = 16
_RESULT_KEPT_S = 10
_LOWEST_PRIORITY = 19


class TrackerNode(Node):
    """Answers the action `~/track`.

    Args:
        tracker: Follows; None builds that of the parameter `preset`, which takes some seconds.
        node_options: Of rclpy's node.
    """

    def __init__(self, tracker: Tracker | None = None, **node_options: Any) -> None:
        super().__init__("tracker", **node_options)
        preset: str = self.declare_parameter("preset", "auto").value
        device: str = self.declare_parameter("device", "auto").value
        self._recent = RecentCollisions(max_duration_s=self.declare_parameter("max_duration_s", 60.0).value)
        buffer_mb: int = self.declare_parameter("frame_buffer_mb", 256).value
        self._health = Health(self, "tracker")
        self._tracker = tracker or _load(preset, device)
        self.get_logger().info(f"following by {self._tracker.name}")
        self._follower = Follower(self._tracker, max_bytes=buffer_mb * 2**20)
        self._followings: dict[bytes, Following] = {}
        self._num_unheard = 0
        group = ReentrantCallbackGroup()  # a goal is awaited while others come
        self._images = TopicInput(
            self, ("image", "image/compressed"), self._connect, depth=_IMAGE_DEPTH, health=self._health, group=group
        )
        self.create_subscription(
            Collision, "perception/collision", self._recent.push, publication(_COLLISION_DEPTH), callback_group=group
        )
        self._server = ActionServer(
            self,
            TrackCollision,
            "~/track",
            self._execute,
            callback_group=group,
            cancel_callback=self._on_cancel,
            result_timeout=_RESULT_KEPT_S,
        )
        self._feedback_topic = self.resolve_topic_name("~/track") + "/_action/feedback"
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_POLL_S, self._on_poll, clock=steady)
        self.create_timer(_DIAGNOSTICS_S, self._on_diagnostics, clock=steady)
        beat(self)  # last: a node whose making fails must not seem to live

    def close(self) -> None:
        """Ends what is followed, and the node."""
        if not self._follower.stop():
            self.get_logger().error("the step in progress does not end: its thread is left behind")
        self._server.destroy()
        self.destroy_node()

    # --- images ---

    def _connect(self, topic_type: str) -> tuple[type, Handler]:
        if topic_type not in IMAGE_TYPES:
            raise ValueError(f"the type {topic_type} is no image; accepted: {', '.join(IMAGE_TYPES)}")
        return message_class(topic_type), lambda msg: self._follower.push_frame(frame_from_msg(msg))

    def _on_poll(self) -> None:
        self._images.poll()
        if self._images.absent_s > _DIAGNOSTICS_S:
            self._health.warn(
                "image: no publisher", f"nobody publishes {self._images.expected}: remap it to the camera"
            )
        else:
            self._health.resolve("image: no publisher")

    def _on_diagnostics(self) -> None:
        # An action has no way to see that its client died, other than that nobody takes its feedback.
        self._num_unheard = 0 if self.count_subscribers(self._feedback_topic) else self._num_unheard + 1
        if self._num_unheard > 1:
            for following in self._followings.values():
                self._follower.end(following, FollowReason.CLIENT_GONE, "nobody listens any more")
        self._health.publish(
            {
                "following": len(self._followings),
                "tracker": self._tracker.name,
                "trained": self._tracker.trained,
                "image_source": self._images.source,
            }
        )

    # --- goals ---

    async def _execute(self, handle: ServerGoalHandle[Any, Any, Any]) -> TrackCollision.Result:
        outcome = await self._outcome(handle)
        if outcome.reason is FollowReason.DONE:
            handle.succeed()
        elif outcome.reason is FollowReason.CANCELLED:
            handle.canceled()
        else:
            handle.abort()
        return TrackCollision.Result(reason=str(outcome.reason), detail=outcome.detail, num_frames=outcome.num_frames)

    async def _outcome(self, handle: ServerGoalHandle[Any, Any, Any]) -> FollowOutcome:
        assert self.executor is not None  # it runs this coroutine
        key = bytes(handle.goal_id.uuid)
        try:
            goal = self._recent.goal(handle.request)
            following = self._follower.follow(goal, partial(self._publish, handle))
        except CannotFollowError as error:
            return error.outcome
        self._followings[key] = following
        try:
            outcome = await in_executor(following.ended, self.executor)
        finally:
            del self._followings[key]
        assert outcome is not None  # the future is done
        return outcome

    def _publish(self, handle: ServerGoalHandle[Any, Any, Any], frame: FollowedFrame) -> None:
        """Called from the follower's thread."""
        handle.publish_feedback(feedback_from_frame(frame))

    def _on_cancel(self, handle: ServerGoalHandle[Any, Any, Any]) -> CancelResponse:
        if following := self._followings.get(bytes(handle.goal_id.uuid)):
            self._follower.end(following, FollowReason.CANCELLED, "cancelled as was asked for")
        return CancelResponse.ACCEPT


def _load(preset: str, device: str) -> Tracker:
    # PyTorch takes seconds to import.
    import torch

    from cs3_model.auto_preset import choose_preset
    from cs3_model.build import load_preset, select_device
    from cs3_model.tracking.build_tracker import build_tracker

    torch.set_num_threads(1)  # the lowest priority does not keep it from the other core that perception computes on
    chosen_device = select_device(device)
    return build_tracker(load_preset(choose_preset(preset, chosen_device).name), device=chosen_device)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the node until Ctrl-C; returns its exit status."""
    os.nice(_LOWEST_PRIORITY)
    return run_node(TrackerNode, argv, name="tracker", close=TrackerNode.close)


if __name__ == "__main__":
    sys.exit(main())
