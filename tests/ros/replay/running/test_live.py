"""The live replay measures from when an onset was due, whatever arrives first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402

from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp  # noqa: E402
from cs3_ros.replay.running.live import LiveEvent, LiveListener  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def events() -> list[LiveEvent]:
    return []


@pytest.fixture
def listener(events: list[LiveEvent]) -> Iterator[LiveListener]:
    """Hears a bag at half its speed."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    listener = LiveListener(context, 0.5, events.append)
    yield listener
    listener.destroy_node()
    context.shutdown()


def collision(onset_s: float) -> Collision:
    return Collision(onset=ns_to_stamp(round(onset_s * NS_PER_S)), reason="no_candidate")


def clock(time_s: float) -> Clock:
    return Clock(clock=ns_to_stamp(round(time_s * NS_PER_S)))


def published(time_s: float) -> dict[str, int]:
    return {"source_timestamp": round(time_s * NS_PER_S)}


def test_the_latency_counts_from_when_the_onset_was_due(listener: LiveListener, events: list[LiveEvent]) -> None:
    """The bag was at 3 s at 100 s; its onset at 2 s was due two seconds before, at half the speed."""
    listener.on_clock(clock(3.0), published(100.0))
    listener.on_collision(collision(2.0), published(100.5))
    assert [event.after_onset_ms for event in events] == [pytest.approx(2500.0)]


def test_a_collision_before_the_first_clock_waits_for_it(listener: LiveListener, events: list[LiveEvent]) -> None:
    listener.on_collision(collision(2.0), published(100.5))
    assert not events
    listener.on_clock(clock(3.0), published(100.0))
    listener.on_clock(clock(4.0), published(102.0))
    assert [event.after_onset_ms for event in events] == [pytest.approx(2500.0)]


def test_without_a_clock_the_event_is_kept_and_its_latency_unknown(
    listener: LiveListener, events: list[LiveEvent]
) -> None:
    listener.on_collision(collision(2.0), published(100.5))
    listener.end()
    assert [(event.event.onset_ns, event.after_onset_ms) for event in events] == [(2 * NS_PER_S, None)]
