"""A mailbox keeps the newest, counts what it lost, and wakes threads and coroutines alike."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.client.mailbox import Mailbox


def test_a_full_mailbox_forgets_the_oldest_and_counts_it() -> None:
    box = Mailbox(2)
    for item in "abcd":
        box.put(item)
    assert [box.take(), box.take(), box.take()] == ["c", "d", None]
    assert box.num_dropped == 2


def test_a_waiting_thread_wakes_at_the_item() -> None:
    box: Mailbox[str] = Mailbox(1)
    threading.Timer(0.05, box.put, ["a"]).start()
    begin_s = time.monotonic()
    box.wait(20.0)
    assert box.take() == "a" and time.monotonic() - begin_s < 10.0


def test_waiting_ends_at_once_where_something_lies_there_or_the_box_is_closed() -> None:
    full, closed = Mailbox(1), Mailbox(1)
    full.put("a")
    closed.close()
    begin_s = time.monotonic()
    full.wait(20.0)
    closed.wait(20.0)
    assert time.monotonic() - begin_s < 10.0


def test_what_is_in_a_closed_mailbox_can_still_be_taken() -> None:
    box = Mailbox(1)
    box.put("a")
    box.close()
    assert box.closed and box.take() == "a" and box.take() is None


def test_waiting_ends_with_the_time() -> None:
    box: Mailbox[str] = Mailbox(1)
    box.wait(0.01)
    asyncio.run(box.wait_async(0.01))
    assert box.take() is None


def test_coroutines_wait_without_blocking_each_other_and_a_cancelled_one_takes_nothing() -> None:
    box: Mailbox[str] = Mailbox(4)

    async def scene() -> None:
        waits = [asyncio.ensure_future(box.wait_async(20.0)) for _ in range(3)]
        await asyncio.sleep(0.01)
        waits[0].cancel()
        threading.Thread(target=box.put, args=["a"]).start()
        done = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 10.0)
        assert isinstance(done[0], asyncio.CancelledError) and done[1:] == [None, None]

    asyncio.run(scene())
    assert box.take() == "a"


def test_a_mailbox_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Mailbox(0)
