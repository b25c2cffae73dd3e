"""Whether a node lives: its topic `~/alive` carries nothing but that."""

from __future__ import annotations

import time
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from std_msgs.msg import Empty

from cs3_ros.qos import heartbeat

_TOPIC = "alive"
_CERTAIN_S = 0.1
"""A node that lost its place on a busy machine has it back sooner."""


def beat(node: Node) -> None:
    """Makes a node's heartbeat, for as long as the node is there."""
    node.create_publisher(Empty, f"~/{_TOPIC}", heartbeat())


class Heartbeat:
    """Listens to the heartbeat of one node.

    Args:
        node: Who listens; it must be spun.
        peer: Full name of the node that is listened to.
    """

    def __init__(self, node: Node, peer: str) -> None:
        self._is_alive: bool | None = None
        self._died_s = 0.0
        self._num_revivals = 0
        node.create_subscription(
            Empty,
            f"{peer}/{_TOPIC}",
            lambda _: None,
            heartbeat(),
            event_callbacks=SubscriptionEventCallbacks(liveliness=self._note),
        )

    @property
    def is_heard(self) -> bool:
        """Whether the node was ever there: only then would its end be noticed."""
        return self._is_alive is not None

    @property
    def has_died(self) -> bool:
        """Whether the node was there and its process ended or lost the network, which shows within a second."""
        return self._is_alive is False and time.monotonic() - self._died_s > _CERTAIN_S

    @property
    def num_deaths(self) -> int:
        """How often that has been so: whoever looks seldom may miss that a node was started anew."""
        return self._num_revivals + self.has_died

    def _note(self, event: Any) -> None:
        self._num_revivals += self.has_died and event.alive_count > 0
        if self._is_alive and not event.alive_count:
            self._died_s = time.monotonic()
        if self._is_alive or event.alive_count:
            self._is_alive = event.alive_count > 0
