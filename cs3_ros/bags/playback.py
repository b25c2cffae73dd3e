"""Publishes the messages of a bag: as they were stored, without decoding, at the pace at which they were received."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from tqdm import tqdm

from cs3_ros.bags.bag_reader import RecordedBag, Topic
from cs3_ros.bags.input_topics import input_remappings
from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp
from cs3_ros.message_types import is_installed_definition, message_class
from cs3_ros.qos import publication, recorded_offer

_CLOCK_TOPIC = "/clock"
_CLOCK_PERIOD_NS = 10_000_000
_LATENESS_HISTORY = 100_000
_LAST_ACKNOWLEDGEMENT_S = 0.5
"""Of all publishers together. Longer, and listeners would take the end of the bag for silence."""
_SETTLING_S = 0.2
"""A subscription that the publisher knows may not know the publisher yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Playback:
    """What is replayed, and how.

    Raises:
        ValueError: if a value is out of its range.
    """

    topics: tuple[str, ...] = ()
    """Topics of the bag to replay; none means all."""
    remap: Mapping[str, str] = field(default_factory=dict)
    """Names to publish under, by the names in the bag."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Topics of the perception node's inputs: the bag's topic of that kind is published there, whatever its name."""
    rate: float = 1.0
    """Speed: 2 is twice as fast."""
    loop: bool = False
    """Whether to begin again at the end; stamps jump back then."""
    clock: bool = False
    """Whether to publish /clock, for nodes with use_sim_time."""
    start_s: float = 0.0
    """Where to begin, seconds after the first message."""
    duration_s: float = float("inf")
    """How much to replay, seconds of the bag."""
    delay_s: float = 0.0
    """Pause before the first message, seconds."""
    wait_for: tuple[str, ...] = ()
    """Topics, as published, that must have a subscriber before the replay begins."""
    wait_timeout_s: float = 30.0
    """How long to wait for them, seconds."""

    def __post_init__(self) -> None:
        if not 0.001 <= self.rate <= 1000.0:
            raise ValueError(f"rate must be 0.001 to 1000, got {self.rate}")
        for name in ("start_s", "delay_s", "wait_timeout_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not self.duration_s > 0.0:
            raise ValueError(f"duration_s must be above 0, got {self.duration_s}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaybackReport:
    """What was replayed."""

    num_messages: int
    lateness_p99_s: float
    """How late messages were handed to the middleware, 99th percentile over the last 100000."""


class BagPlayer:
    """Publishes the messages of one open bag from a node."""

    def __init__(self, node: Node, bag: RecordedBag, playback: Playback) -> None:
        """Makes the publishers.

        Args:
            node: Where to publish; it need not spin.
            bag: An open bag.
            playback: What to replay.

        Raises:
            ValueError: if the bag lacks a topic that was asked for, or the types of all topics are not installed.
        """
        self._node, self._bag, self._playback = node, bag, playback
        self._publishers = self._make_publishers()
        self._clock = node.create_publisher(Clock, _CLOCK_TOPIC, publication(1)) if playback.clock else None
        self._lateness_s: deque[float] = deque(maxlen=_LATENESS_HISTORY)

    def play(self) -> PlaybackReport:
        """Waits as told, then replays until the end; with `Playback.loop` until interrupted.

        Raises:
            ValueError: if there is nothing in the chosen span, or the subscribers do not come.
        """
        self._wait_for_subscribers()
        time.sleep(self._playback.delay_s)
        count = self._play_once()
        while self._playback.loop and count:
            count += self._play_once()
        if not count:
            raise ValueError(
                f"no messages from {self._playback.start_s} s on: the bag is {self._bag.duration_s:.3f} s long"
            )
        deadline_s = time.monotonic() + _LAST_ACKNOWLEDGEMENT_S
        clock = [self._clock] if self._clock else []
        for publisher in {*self._publishers.values(), *clock}:
            publisher.wait_for_all_acked(Duration(seconds=max(0.0, deadline_s - time.monotonic())))
        return PlaybackReport(num_messages=count, lateness_p99_s=float(np.percentile(self._lateness_s, 99)))

    def _make_publishers(self) -> dict[str, Publisher[Any]]:
        wanted = {_absolute(topic) for topic in self._playback.topics}
        present = set(self._bag.topics)
        if missing := wanted - present:
            raise ValueError(f"the bag has no topic {', '.join(sorted(missing))}; it has {', '.join(sorted(present))}")
        types = {name: topic.type_name for name, topic in self._bag.topics.items()}
        remap = input_remappings(types, self._playback.inputs, self._node.resolve_topic_name)
        remap |= {_absolute(old): new for old, new in self._playback.remap.items()}
        # All types are looked at before the first publisher is there: who sees one takes the player for ready.
        offers, skipped = {}, dict[str, Exception]()
        for name, topic in self._bag.topics.items():
            published = remap.get(name, name)
            if name not in (wanted or present):
                continue
            if self._playback.clock and published == _CLOCK_TOPIC:
                self._node.get_logger().info("the bag's own /clock is left out: this player publishes it")
                continue
            try:
                offers[name] = _installed_class(topic), published, recorded_offer(topic.offered_qos)
            except ValueError as error:
                skipped[name] = error
        publishers = {}
        for name, (kind, published, offer) in offers.items():
            try:
                publishers[name] = self._node.create_publisher(kind, published, offer)
            except NameValidationException as error:
                skipped[name] = error
        problems = [f"topic {name} is skipped: {' '.join(str(error).split())}" for name, error in skipped.items()]
        if not publishers:
            raise ValueError("nothing to replay: " + "; ".join(problems))
        for problem in problems:
            self._node.get_logger().warning(problem)
        return publishers

    def _wait_for_subscribers(self) -> None:
        """Waits for subscriptions that are matched: what is published earlier would not reach them."""
        published = {publisher.topic_name: publisher for publisher in self._publishers.values()}
        if self._clock is not None:
            published[self._clock.topic_name] = self._clock
        awaited = [self._node.resolve_topic_name(topic) for topic in self._playback.wait_for]
        if unknown := [topic for topic in awaited if topic not in published]:
            raise ValueError(
                f"cannot wait for a subscriber on {', '.join(unknown)}: only {', '.join(sorted(published))} are published"
            )
        deadline = time.monotonic() + self._playback.wait_timeout_s
        while lonely := [topic for topic in awaited if not published[topic].get_subscription_count()]:
            if time.monotonic() > deadline:
                raise ValueError(
                    f"no subscriber on {', '.join(lonely)} after {self._playback.wait_timeout_s:g} s: "
                    "is the node up, with these topics and this ROS_DOMAIN_ID?"
                )
            time.sleep(0.02)
        if awaited:
            time.sleep(_SETTLING_S)

    def _play_once(self) -> int:
        playback = self._playback
        start_ns = self._bag.start_ns + round(playback.start_s * NS_PER_S)
        span_s = min(playback.duration_s, (self._bag.end_ns - start_ns) / NS_PER_S)
        stop_ns = start_ns + max(0, round(span_s * NS_PER_S))
        messages = self._bag.messages(set(self._publishers), start_ns=start_ns, stop_ns=stop_ns)
        pace = _Pace(start_ns, playback.rate, self._publish_clock if self._clock else None)
        count = 0
        with tqdm(total=max(0.0, span_s), unit="s", unit_scale=True, leave=False, disable=None) as progress:
            for topic, time_ns, data in messages:
                self._lateness_s.append(pace.wait_until(time_ns))
                self._publishers[topic].publish(bytes(data))
                count += 1
                progress.update((time_ns - start_ns) / NS_PER_S - progress.n)
        return count

    def _publish_clock(self, time_ns: int) -> None:
        assert self._clock is not None
        self._clock.publish(Clock(clock=ns_to_stamp(time_ns)))


class _Pace:
    """Maps times of the bag to now, and sleeps between them, ticking a clock on the way."""

    def __init__(self, start_ns: int, rate: float, tick: Any | None) -> None:
        self._start_ns, self._rate, self._tick = start_ns, rate, tick
        self._began_ns = self._next_tick_ns = time.perf_counter_ns()

    def wait_until(self, time_ns: int) -> float:
        """Sleeps until that time of the bag is due; returns how late it became, seconds."""
        due_ns = self._began_ns + round((time_ns - self._start_ns) / self._rate)
        while self._tick is not None and self._next_tick_ns <= due_ns:
            _sleep_until(self._next_tick_ns)
            self._tick(self._start_ns + round((self._next_tick_ns - self._began_ns) * self._rate))
            self._next_tick_ns += _CLOCK_PERIOD_NS
        return _sleep_until(due_ns)


def _installed_class(topic: Topic) -> Any:
    """The class by which a topic's messages can be published.

    Raises:
        ValueError: if it is not installed, or is another than that of the bag: one line.
    """
    kind = message_class(topic.type_name)
    if not is_installed_definition(topic.type_name, topic.definition):
        raise ValueError(f"the bag was recorded with another definition of {topic.type_name}")
    return kind


def _sleep_until(due_ns: int) -> float:
    if (early_ns := due_ns - time.perf_counter_ns()) > 0:
        time.sleep(early_ns / NS_PER_S)
    return (time.perf_counter_ns() - due_ns) / NS_PER_S


def _absolute(topic: str) -> str:
    return topic if topic.startswith("/") else f"/{topic}"
