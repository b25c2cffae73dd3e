"""Publishers that were killed stay on the graph for 20 s; they are told from those that send."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.perception.senders import Senders

pytestmark = pytest.mark.ros

OLD, NEW = b"old", b"new"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_killed_publisher_is_never_counted_beside_its_successor() -> None:
    clock = Clock()
    senders = Senders(clock)
    counts = []
    for tick in range(100):  # ten seconds; the old one ends at 3.0 s, the new one comes at 3.2 s
        clock.now_s = 100.0 + tick / 10
        graph = [OLD] if tick < 32 else [OLD, NEW]
        senders.note(OLD if tick < 30 else NEW if tick >= 32 else None)
        counts.append(senders.num_alive(graph))
    assert max(counts) == 1
    assert counts[-1] == 1


def test_two_that_send_are_counted_both() -> None:
    clock = Clock()
    senders = Senders(clock)
    for tick in range(20):
        clock.now_s = 100.0 + tick / 10
        senders.note(OLD)
        senders.note(NEW)
        count = senders.num_alive([OLD, NEW])
    assert count == 2


def test_one_that_has_never_sent_counts_after_a_while() -> None:
    clock = Clock()
    senders = Senders(clock)
    assert senders.num_alive([OLD]) == 0
    clock.now_s += 1.4
    assert senders.num_alive([OLD, NEW]) == 0
    clock.now_s += 1.5
    assert senders.num_alive([OLD, NEW]) == 2
