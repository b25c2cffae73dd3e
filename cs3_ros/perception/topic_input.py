"""Subscriptions that wait for their topic, take whatever supported type it has, and say what is wrong with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.topic_endpoint_info import TopicEndpointInfo

from cs3_ros.distribution import sender_of
from cs3_ros.perception.health import Health
from cs3_ros.perception.senders import Senders
from cs3_ros.qos import overridable, sensor_subscription

logger = logging.getLogger(__name__)

_NOT_DECODED = "see that its publisher is sound and has the same definition of the message"

Handler = Callable[[Any], None]
Connect = Callable[[str], "tuple[type, Handler]"]


class TopicInput:
    """One input of a node.

    Until a publisher appears the type of the topic is unknown, and so is the class to subscribe with. `poll`, called
    a few times per second, subscribes as soon as it is known, again when it changes, and reports what is wrong.

    Args:
        node: The node.
        topics: Relative names in order of preference; the first that has a publisher is taken.
        connect: Takes the type's name; returns the message class and a callback, or raises ValueError.
        depth: Queue depth of the subscription.
        health: Where problems are reported, under the first topic's name.
        group: Callback group.
    """

    def __init__(
        self,
        node: Node,
        topics: Sequence[str],
        connect: Connect,
        *,
        depth: int,
        health: Health,
        group: CallbackGroup,
    ) -> None:
        self.num_lost = 0
        """Messages that the middleware lost."""
        self.num_messages = 0
        self.num_accepted = 0
        """Messages without a complaint of the callback."""
        self._node = node
        self._topics = topics
        self._connect = connect
        self._depth = depth
        self._health = health
        self._group = group
        self._senders = Senders()
        self._absent_since_s: float | None = time.monotonic()
        self._subscription: Any = None
        self._source: tuple[str, str] | None = None

    @property
    def source(self) -> str:
        """What is subscribed, for diagnostics: topic and type, or "none"."""
        return " ".join(self._source) if self._source else "none"

    @property
    def topic(self) -> str | None:
        """Full name of the topic that is subscribed and has a publisher, None while there is none."""
        return self._resolve(self._source[0]) if self._source and not self.absent_s else None

    @property
    def absent_s(self) -> float:
        """For how long no publisher has been there, seconds; 0 while one is."""
        return 0.0 if self._absent_since_s is None else max(time.monotonic() - self._absent_since_s, 1e-9)

    @property
    def expected(self) -> str:
        """Full names of the topics, of which the first that has a publisher is taken."""
        return " or ".join(self._resolve(topic) for topic in self._topics)

    def poll(self) -> None:
        """Looks at the graph and (re)subscribes where needed."""
        for topic in self._topics:
            if publishers := self._node.get_publishers_info_by_topic(self._resolve(topic)):
                self._absent_since_s = None
                self._use(topic, publishers)
                return
        if self._absent_since_s is None:
            self._absent_since_s = time.monotonic()

    def close(self) -> None:
        """Ends the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription = None
        self._source = None

    def _use(self, topic: str, publishers: Sequence[TopicEndpointInfo]) -> None:
        name, resolved = self._topics[0], self._resolve(topic)
        types = sorted({publisher.topic_type for publisher in publishers})
        if len(types) > 1:
            kinds = ", ".join(types)
            self._health.error(f"{name}: types", f"{resolved} has publishers of different types ({kinds}): keep one")
            return
        num_alive = self._senders.num_alive([bytes(publisher.endpoint_gid) for publisher in publishers])
        if num_alive > 1:
            self._health.warn(
                f"{name}: publishers", f"{resolved} has {num_alive} publishers: their messages mix, keep one"
            )
        else:
            self._health.resolve(f"{name}: publishers")
        if (topic, types[0]) == self._source:
            return
        self.close()
        try:
            self._subscription = self._subscribe(topic, *self._connect(types[0]))
        except Exception as error:  # an unknown type, or a quality of service that the middleware refuses
            self._health.error(f"{name}: type", f"{resolved}: {error}")
            return
        self._health.resolve(f"{name}: type")
        self._source = (topic, types[0])
        self._node.get_logger().info(f"listening to {resolved} ({types[0]})")

    def _subscribe(self, topic: str, message_type: type, handler: Handler) -> Any:
        return self._node.create_subscription(
            message_type,
            topic,
            self._guarded(message_type, handler),
            sensor_subscription(self._depth),
            raw=True,  # decoded here: what cannot be decoded, rclpy drops without a word
            callback_group=self._group,
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._on_incompatible_qos, message_lost=self._on_lost
            ),
            qos_overriding_options=overridable(),
        )

    def _guarded(self, message_type: type, handler: Handler) -> Callable[[bytes, Any], None]:
        """One bad message is reported and skipped."""
        name = self._topics[0]

        def handle(data: bytes, info: Any) -> None:
            self._health.count(f"{name}_messages")
            self.num_messages += 1
            self._senders.note(sender_of(info))
            try:
                message: Any = deserialize_message(data, message_type)
            except Exception as error:  # of a class that rclpy does not export
                self._refuse(
                    "undecodable", f"{len(data)} bytes are no {self.source.rpartition(' ')[2]}: {_NOT_DECODED}"
                )
                logger.debug("a message of %s cannot be decoded: %s", name, error)
                return
            try:
                handler(message)
                self.num_accepted += 1
            except Exception as error:  # ValueError says what is wrong; nothing else may end the node either
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
                self._refuse("refused", f"{kind}{error}")
                logger.debug("a message of %s was refused", name, exc_info=True)

        return handle

    def _refuse(self, counter: str, what: str) -> None:
        name = self._topics[0]
        self._health.count(f"{name}_{counter}")
        self._health.error(f"{name}: message", f"{name}: {what}", is_brief=True)

    def _on_incompatible_qos(self, event: Any) -> None:
        if self._subscription.qos_profile.reliability is ReliabilityPolicy.BEST_AVAILABLE:
            self._source = None  # a publisher came that offers less: the next poll subscribes anew, to match it too
            return
        name = self._topics[0]
        self._health.error(
            f"{name}: qos",
            f"{name}: a publisher's quality of service does not match ({event.last_policy_kind}): "
            "set qos_overrides of this subscription",
        )

    def _on_lost(self, event: Any) -> None:
        self.num_lost += event.total_count_change

    def _resolve(self, topic: str) -> str:
        return self._node.resolve_topic_name(topic)
