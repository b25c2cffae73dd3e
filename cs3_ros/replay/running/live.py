"""A bag through the real node in real time: what an installation would see."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import rclpy
import yaml
from cs3_msgs.msg import Collision
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from cs3_model.steps import Event
from cs3_model.types import CollisionResult
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.images import IMAGE_TYPES
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.distribution import ros_context
from cs3_ros.qos import publication
from cs3_ros.replay.reading.bag_inputs import InputTopics
from cs3_ros.replay.running.node_process import COLLISION_TOPIC, NODE_NAME, play_to_node

if TYPE_CHECKING:
    from rclpy.subscription import MessageInfo

_SAMPLE_PERIOD_S = 0.25
_HISTORY = 100


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LiveEvent:
    """One collision that the node published."""

    event: Event
    result: CollisionResult
    frame_ns: int | None
    """Stamp of the image that was used."""
    after_last_sample_ms: float
    """From the arrival of the last needed audio sample to the publication, as the node measured it."""
    after_onset_ms: float | None
    """From the moment at which the onset was due in the replay to the publication, wall clock; None if the clock of the
    replay was never heard."""
    trained: bool
    """Whether the node's masks mean anything."""


@dataclass(kw_only=True, slots=True)
class LiveLoad:
    """What the node used and lost."""

    cpu_share: float = 0.0
    """Share of one core, while the bag was played."""
    memory_peak_mb: float = 0.0
    """Resident, MiB."""
    counters: dict[str, int] = field(default_factory=dict)
    """Last that the node reported in /diagnostics: messages, losses, how events ended."""


def replay_live(
    bag: RecordedBag,
    topics: InputTopics,
    values: Mapping[str, Any],
    on_event: Callable[[LiveEvent], None],
    *,
    params_path: Path,
    rate: float = 1.0,
) -> LiveLoad:
    """Plays a bag, with /clock, to a perception node in a process of its own.

    Args:
        bag: The bag.
        topics: Which of its topics the node listens to.
        values: Values of the node's parameters.
        on_event: Called for each collision that the node publishes.
        params_path: Where to write the node's parameter file.
        rate: Speed of the replay.

    Raises:
        ValueError: if the node or the player fails.
    """
    is_raw = bag.topics[topics.image].type_name == IMAGE_TYPES[0]
    image_input, transport = ("image", "raw") if is_raw else ("image/compressed", "compressed")
    parameters = {**values, "image_transport": transport, "use_sim_time": True, "autostart": True}
    params_path.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}), encoding="utf-8")
    node_arguments = ["--ros-args", "--params-file", str(params_path), "--log-level", f"{NODE_NAME}:=error"]
    node_arguments += ["-r", f"{image_input}:={topics.image}", "-r", f"audio:={topics.audio}"]
    names = [topics.audio, topics.image]
    player_arguments = [str(bag.path), "--clock", "--rate", str(rate), "--topics", *names, "--wait-for", *names]
    meter = _Meter()
    context = rclpy.Context()
    with ros_context([], context=context):
        listener = LiveListener(context, rate, on_event)
        play_to_node(listener, node_arguments=node_arguments, player_arguments=player_arguments, on_spin=meter.sample)
        listener.end()
        listener.destroy_node()
    return LiveLoad(
        cpu_share=round(meter.cpu_share, 4), memory_peak_mb=round(meter.memory_peak_mb, 1), counters=listener.counters
    )


class LiveListener(Node):
    """Relates publications to the bag's time through the times at which /clock was published."""

    def __init__(self, context: rclpy.Context, rate: float, on_event: Callable[[LiveEvent], None]) -> None:
        super().__init__("evaluate_bag", context=context)
        self.counters: dict[str, int] = {}
        self._rate, self._on_event, self._num_events = rate, on_event, 0
        self._heard_clock: tuple[int, int] | None = None  # when /clock was published last, and what it said
        self._early: list[tuple[Collision, int]] = []
        self.create_subscription(Clock, "/clock", self.on_clock, publication())
        self.create_subscription(Collision, COLLISION_TOPIC, self.on_collision, publication(_HISTORY))
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, publication())

    def on_clock(self, message: Clock, info: MessageInfo) -> None:
        """Notes the time of the bag; `info` has the time of publication."""
        self._heard_clock = info["source_timestamp"], stamp_to_ns(message.clock)
        self.end()

    def on_collision(self, message: Collision, info: MessageInfo) -> None:
        """Hands on an event; discovery may find the node's topic before the clock's, then it waits for the clock."""
        if self._heard_clock is None:
            self._early.append((message, info["source_timestamp"]))
        else:
            self._hand_on(message, info["source_timestamp"])

    def end(self) -> None:
        """Hands on the events that waited for the clock."""
        early, self._early = self._early, []
        for message, published_ns in early:
            self._hand_on(message, published_ns)

    def _hand_on(self, message: Collision, published_ns: int) -> None:
        onset_ns, header_ns = stamp_to_ns(message.onset), stamp_to_ns(message.header.stamp)
        after_onset_ms = None
        if self._heard_clock is not None:
            clock_published_ns, bag_ns = self._heard_clock
            due_ns = clock_published_ns + (onset_ns - bag_ns) / self._rate
            after_onset_ms = (published_ns - due_ns) * 1000 / NS_PER_S
        event = Event(event_id=self._num_events, onset_ns=onset_ns, strength_db=message.onset_strength)
        self._num_events += 1
        has_frame = bool(message.header.frame_id) or header_ns != onset_ns
        self._on_event(
            LiveEvent(
                event=event,
                result=collision_from_msg(message),
                frame_ns=header_ns if has_frame else None,
                after_last_sample_ms=message.latency_ms,
                after_onset_ms=after_onset_ms,
                trained=message.trained,
            )
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(f"{NODE_NAME}: perception"):
                self.counters = {pair.key: int(pair.value) for pair in status.values if pair.value.isdigit()}


class _Meter:
    """Processor time and memory of the node."""

    def __init__(self) -> None:
        self.cpu_share = self.memory_peak_mb = 0.0
        self._process: psutil.Process | None = None
        self._due_s = self._begin_s = self._begin_cpu_s = 0.0

    def sample(self, pid: int) -> None:
        """Measures a few times per second; call it often."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _SAMPLE_PERIOD_S
        try:
            if self._process is None:
                self._process = psutil.Process(pid)
                self._begin_s, self._begin_cpu_s = now_s, self._cpu_s()
            elif now_s > self._begin_s:
                self.cpu_share = (self._cpu_s() - self._begin_cpu_s) / (now_s - self._begin_s)
            self.memory_peak_mb = max(self.memory_peak_mb, self._process.memory_info().rss / 2**20)
        except psutil.NoSuchProcess:  # ended in between; the next look at the process says so
            return

    def _cpu_s(self) -> float:
        assert self._process is not None
        times = self._process.cpu_times()
        return times.user + times.system
