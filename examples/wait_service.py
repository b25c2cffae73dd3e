"""A plain rclpy node that knows nothing of the client: a service that answers when two things hit each other.

    scripts/run python examples/wait_service.py
    ros2 service call /collision_waiter/wait std_srvs/srv/Trigger

It is what state machines and behaviour trees of other languages can call: it answers with the next collision, or
`success: false` when none came in time (parameter `timeout_s`). Needs a running perception node.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from cs3_msgs.msg import Collision
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from cs3_ros.node_command import run_node

_MAX_WAITING = 16
_LOOK_S = 0.1


class CollisionWaiter(Node):
    """Answers each call of `~/wait` with the next collision."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__("collision_waiter", **node_options)
        self._timeout_s: float = self.declare_parameter("timeout_s", 30.0).value
        self._waiting: list[tuple[float, Future[Collision | None]]] = []
        self.create_subscription(Collision, "/perception/collision", self._on_collision, 10)
        # Reentrant, so that several callers can wait at once.
        self.create_service(Trigger, "~/wait", self._on_wait, callback_group=ReentrantCallbackGroup())
        self.create_timer(_LOOK_S, self._give_up)

    async def _on_wait(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if len(self._waiting) >= _MAX_WAITING:
            response.message = f"{_MAX_WAITING} callers wait already: call again later"
            return response
        future: Future[Collision | None] = Future(executor=self.executor)
        self._waiting.append((time.monotonic() + self._timeout_s, future))
        collision = await future
        response.success = collision is not None
        response.message = _sentence(collision) if collision else f"no collision within {self._timeout_s:g} s"
        return response

    def _on_collision(self, msg: Collision) -> None:
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            future.set_result(msg)

    def _give_up(self) -> None:
        now_s = time.monotonic()
        late = [future for deadline_s, future in self._waiting if deadline_s <= now_s]
        self._waiting = [each for each in self._waiting if each[0] > now_s]
        for future in late:
            future.set_result(None)


def _sentence(msg: Collision) -> str:
    boxes = [" ".join(f"{edge:.0f}" for edge in mask.box) for mask in msg.masks]
    return f"{msg.reason}: {msg.detail}" + "".join(f"; box {box}" for box in boxes)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the node until Ctrl-C; returns the exit status."""
    return run_node(CollisionWaiter, argv, name="wait_service", close=CollisionWaiter.destroy_node)


if __name__ == "__main__":
    sys.exit(main())
