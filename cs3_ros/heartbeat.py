"""Whether a node lives and knows who listens: its topic `~/alive` says nothing but that."""

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
    """Makes a node's heartbeat, for as long as the node is there.

    Call it once the node's other publishers are made. Its one message reaches each listener when the middleware of the
    node has found it.
    """
    node.create_publisher(Empty, f"~/{_TOPIC}", heartbeat()).publish(Empty())


class Heartbeat:
    """Listens to the heartbeat of one node.

    Args:
        node: Who listens; it must be spun.
        peer: Full name of the node that is listened to.
    """

    def __init__(self, node: Node, peer: str) -> None:
        self._is_alive: bool | None = None
        self._is_known = self._was_known = False
        self._died_s = 0.0
        self._num_revivals = 0
        node.create_subscription(
            Empty,
            f"{peer}/{_TOPIC}",
            self._hear,
            heartbeat(),
            event_callbacks=SubscriptionEventCallbacks(liveliness=self._note),
        )

    @property
    def is_heard(self) -> bool:
        """Whether the node was ever there: only then would its end be noticed."""
        return self._is_alive is not None

    @property
    def is_known(self) -> bool:
        """Whether the node has found the listener's subscriptions: from now on neither its messages nor its end are missed.

        Discovery is in order, so where the node found this subscription it found those that the listener made before it.
        """
        return self._is_known and self._is_alive is True

    @property
    def has_died(self) -> bool:
        """Whether the node was there and its process ended or lost the network, which shows within a second."""
        return self._is_alive is False and time.monotonic() - self._died_s > _CERTAIN_S

    @property
    def num_deaths(self) -> int:
        """How often that has been so: whoever looks seldom may miss that a node was started anew."""
        return self._num_revivals + self.has_died

    def _hear(self, _: Empty) -> None:
        self._is_known = True

    def _note(self, event: Any) -> None:
        self._num_revivals += self.has_died and event.alive_count > 0
        if self._is_alive and not event.alive_count:
            self._died_s = time.monotonic()
            self._was_known, self._is_known = self._is_known, False
        elif self._is_alive is False and event.alive_count and event.not_alive_count_change < 0:
            # The same node, that was held up: what it has found it does not forget, and says only once.
            self._is_known |= self._was_known
        if self._is_alive or event.alive_count:
            self._is_alive = event.alive_count > 0
