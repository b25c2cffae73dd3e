"""Whether a node lives and knows who listens: its topic `~/alive` says nothing but that."""

from __future__ import annotations

import threading
import time
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from std_msgs.msg import Empty

from cs3_ros.qos import heartbeat

_TOPIC = "alive"
_CERTAIN_S = 0.1
"""A node that lost its place on a busy machine has it back sooner."""
_UNSAID_S = 1.0
"""The middleware leaves one listener in fifty untold that the node lives (seen on Jazzy): so long after the node's message
it is taken to live. Right after the message it may have been killed before its life was known, which nobody would notice."""


def beat(node: Node) -> None:
    """Makes a node's heartbeat, for as long as the node is there.

    Its one message reaches each listener when the middleware of the node has found it.
    """
    node.create_publisher(Empty, f"~/{_TOPIC}", heartbeat()).publish(Empty())


class Heartbeat:
    """Listens to the heartbeat of one node.

    Args:
        node: Who listens; it must be spun.
        peer: Full name of the node that is listened to.
    """

    def __init__(self, node: Node, peer: str) -> None:
        self._node, self._topic = node, f"{peer}/{_TOPIC}"
        self._is_alive: bool | None = None
        self._known_s: float | None = None
        self._known_before_s: float | None = None
        self._died_s = 0.0
        self._num_revivals = 0
        self._lock = threading.RLock()
        node.create_subscription(
            Empty,
            self._topic,
            self._hear,
            heartbeat(),
            event_callbacks=SubscriptionEventCallbacks(liveliness=self._note),
        )

    @property
    def is_known(self) -> bool:
        """Whether the node has found the listener: from now on its messages, its answers and its end are not missed.

        Discovery is in order, so where the node found this subscription it found all that the listener made before it.
        """
        self._take_to_live()
        return self._known_s is not None and self._is_alive is True

    @property
    def is_unheard(self) -> bool:
        """Whether the graph shows a heartbeat that was never heard.

        Such a node has just been met, or was killed right then: the graph shows it for 20 s more.
        """
        self._take_to_live()
        return self._is_alive is None and self._node.count_publishers(self._topic) > 0

    @property
    def has_died(self) -> bool:
        """Whether the node was there and its process ended or lost the network, which shows within a second."""
        self._take_to_live()
        return self._is_alive is False and time.monotonic() - self._died_s > _CERTAIN_S

    @property
    def num_deaths(self) -> int:
        """How often that has been so: whoever looks seldom may miss that a node was started anew."""
        return self._num_revivals + self.has_died

    def _hear(self, _: Empty) -> None:
        self._known_s = time.monotonic()

    def _note(self, event: Any) -> None:
        with self._lock:
            self._num_revivals += self.has_died and event.alive_count > 0
            if self._is_alive and not event.alive_count:
                self._died_s = time.monotonic()
                self._known_before_s, self._known_s = self._known_s, None
            elif self._is_alive is False and event.alive_count and event.not_alive_count_change < 0:
                # The same node, that was held up: what it has found it does not forget, and says only once.
                self._known_s = self._known_s or self._known_before_s
            if self._is_alive or event.alive_count:
                self._is_alive = event.alive_count > 0

    def _take_to_live(self) -> None:
        with self._lock:
            if not self._is_alive and self._known_s is not None and time.monotonic() - self._known_s > _UNSAID_S:
                self._num_revivals += self._is_alive is False
                self._is_alive = True
