"""Following the objects of a collision, for programs that know nothing of ROS."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from cs3_msgs.action import TrackCollision
from rclpy.action.client import ActionClient
from rclpy.executors import Executor
from rclpy.node import Node

from cs3_model.tracking.follower import FollowedFrame, FollowOutcome, FollowReason
from cs3_ros.client.errors import PerceptionAbsentError, PerceptionRefusedError
from cs3_ros.client.mailbox import Mailbox
from cs3_ros.conversions.following import frame_from_feedback
from cs3_ros.conversions.times import ns_to_stamp
from cs3_ros.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

_LOOK_S = 0.1
_LATE_S = 0.5
"""The result may overtake the last frames by so much."""
_MAX_WAITING = 64


class TrackerLink:
    """The action of a tracker. All that is sent is sent by the executor's thread, whatever thread asks for it.

    Args:
        node: On which graph.
        executor: Spins the node.
        name: Name of the tracker, relative to the node's namespace.
    """

    def __init__(self, node: Node, executor: Executor, name: str) -> None:
        self.name = node.resolve_topic_name(name)
        """Full name of the tracker."""
        self._executor = executor
        self._client: ActionClient[Any, Any, Any] = ActionClient(node, TrackCollision, f"{self.name}/track")
        self._heartbeat = Heartbeat(node, self.name)  # after the client, of which `is_known` speaks

    @property
    def is_ready(self) -> bool:
        """Whether the tracker is on the graph and lives, knows whom to answer, and would be missed if it ended."""
        return self._client.server_is_ready() and self._heartbeat.is_known

    @property
    def num_deaths(self) -> int:
        """How often the tracker was there and its process ended, which shows within a second."""
        return self._heartbeat.num_deaths

    def run(self, call: Callable[[], Any]) -> None:
        """Calls in the executor's thread, soon."""
        self._executor.create_task(call)

    def send(self, goal: TrackCollision.Goal, on_feedback: Callable[[Any], None]) -> Any:
        """Sends a goal, in the executor's thread; returns the future of its handle."""
        return self._client.send_goal_async(goal, feedback_callback=on_feedback)

    def close(self) -> None:
        """Leaves the graph."""
        self._client.destroy()


class CollisionTrack:
    """The frames in which the objects of one collision are followed, for ``for`` and for ``async for``.

    The loop ends when the time asked for is over, after `cancel`, and when the client is closed. Leaving the block of
    a ``with`` cancels. Waiting raises `PerceptionAbsentError` where there is no tracker, within a second where it was
    killed, and `PerceptionRefusedError` where the tracker gives up; it says why. Frames that nobody takes are dropped,
    the oldest first, and counted.

    Args:
        link: The tracker.
        onset_ns: Of the collision.
        size_hw: Height and width of its masks.
        duration_s: How long, seconds of the images' stamps.
        patience_s: How long the tracker may be missing from the graph.
    """

    def __init__(
        self, link: TrackerLink, *, onset_ns: int, size_hw: tuple[int, int], duration_s: float, patience_s: float
    ) -> None:
        self.outcome: FollowOutcome | None = None
        """How it ended; None while it is under way."""
        self._link = link
        self._goal = TrackCollision.Goal(onset=ns_to_stamp(onset_ns), duration_s=duration_s)
        self._size_hw = size_hw
        self._patience_s = patience_s
        self._frames: Mailbox[FollowedFrame] = Mailbox(_MAX_WAITING)
        self._lock = threading.Lock()
        self._sent = False
        self._deaths_before = 0
        self._cancelled = False
        self._handle: Any = None
        self._num_received = 0
        self._ended_s = 0.0
        self._seen_s = time.monotonic()
        self._look()

    def __enter__(self) -> CollisionTrack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    @property
    def num_dropped(self) -> int:
        """Frames that were lost because nobody took them in time."""
        return self._frames.num_dropped

    def cancel(self) -> None:
        """Ends it; without effect once it has ended. Returns at once."""
        with self._lock:
            if self._cancelled or self.outcome is not None:
                return
            self._cancelled = True
            handle = self._handle
        if handle is not None:
            self._link.run(handle.cancel_goal_async)
        elif not self._sent:
            self._end(FollowOutcome(reason=FollowReason.CANCELLED, detail="cancelled before it began"))

    def close(self) -> None:
        """Ends the loops that wait, as when the client leaves the graph."""
        self._frames.close()

    def __iter__(self) -> CollisionTrack:
        return self

    def __next__(self) -> FollowedFrame:
        while (frame := self._frames.take()) is None:
            if self._is_over():
                raise StopIteration
            self._frames.wait(self._look())
        return frame

    def __aiter__(self) -> CollisionTrack:
        return self

    async def __anext__(self) -> FollowedFrame:
        while (frame := self._frames.take()) is None:
            if self._is_over():
                raise StopAsyncIteration
            await self._frames.wait_async(self._look())
        return frame

    def _is_over(self) -> bool:
        """Whether no frame comes any more.

        Raises:
            PerceptionRefusedError: if the tracker gave up.
        """
        outcome = self.outcome
        if outcome is None or self._frames.closed:
            return self._frames.closed
        if self._num_received < outcome.num_frames and time.monotonic() < self._ended_s + _LATE_S:
            return False
        if outcome.reason not in (FollowReason.DONE, FollowReason.CANCELLED):
            raise PerceptionRefusedError(f"{self._link.name} stopped following ({outcome.reason}): {outcome.detail}")
        return True

    def _look(self) -> float:
        """Sends the goal as soon as the tracker is there; returns how long to wait before the next look.

        Raises:
            PerceptionAbsentError: if the tracker has been missing for too long, or has ended since it has the goal.
        """
        now_s = time.monotonic()
        if self._frames.closed or self.outcome is not None:
            return _LOOK_S
        if self._sent and self._link.num_deaths > self._deaths_before:
            raise self._absent("has ended")
        if self._link.is_ready:
            self._seen_s = now_s
            if not self._sent:
                self._sent, self._deaths_before = True, self._link.num_deaths
                self._link.run(self._send)
        elif now_s - self._seen_s >= self._patience_s:
            raise self._absent("has ended" if self._sent else "is not there")
        return _LOOK_S

    def _absent(self, what: str) -> PerceptionAbsentError:
        return PerceptionAbsentError(
            f"the node {self._link.name}, which follows objects, {what}: start it (ros2 run cs3_ros tracker), "
            "or give its name as tracker= of the client"
        )

    # --- in the executor's thread ---

    def _send(self) -> None:
        self._link.send(self._goal, self._on_feedback).add_done_callback(self._on_accepted)

    def _on_accepted(self, future: Any) -> None:
        handle = future.result()
        if handle is None or not handle.accepted:
            self._end(FollowOutcome(reason=FollowReason.ERROR, detail="the goal was not accepted"))
            return
        with self._lock:
            self._handle = handle
            cancelled = self._cancelled
        handle.get_result_async().add_done_callback(self._on_result)
        if cancelled:
            handle.cancel_goal_async()

    def _on_feedback(self, message: Any) -> None:
        self._num_received += 1
        try:
            self._frames.put(frame_from_feedback(message.feedback, self._size_hw))
        except ValueError as error:
            logger.warning("a frame of %s was skipped: %s", self._link.name, error)

    def _on_result(self, future: Any) -> None:
        result = future.result().result
        try:
            reason = FollowReason(result.reason)
        except ValueError:  # of a newer tracker
            reason = FollowReason.ERROR
        self._end(FollowOutcome(reason=reason, detail=result.detail, num_frames=result.num_frames))

    def _end(self, outcome: FollowOutcome) -> None:
        self._ended_s = time.monotonic()
        self.outcome = outcome
