"""Puts messages into the order of their times, within a window of bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

_WINDOW_BYTES = 2**26
"""Messages that are held back: seconds of compressed pictures and of sound, ten raw 1080p pictures."""
_WINDOW_MESSAGES = 1_000

Message = tuple[str, int, bytes]
"""Topic, time in nanoseconds, and data."""


def in_order(messages: Iterable[Message]) -> Iterator[Message]:
    """Yields the messages by time, equal times in the order given.

    What comes later than a whole window does not find its place any more and is yielded as it comes. If the source
    fails, what it gave before comes first.
    """
    held: list[tuple[int, int, Message]] = []
    num_bytes, failure = 0, None
    try:
        for number, message in enumerate(messages):
            heapq.heappush(held, (message[1], number, message))
            num_bytes += len(message[2])
            while num_bytes > _WINDOW_BYTES or len(held) > _WINDOW_MESSAGES:
                oldest = heapq.heappop(held)[2]
                num_bytes -= len(oldest[2])
                yield oldest
    except Exception as error:  # a damaged file fails in any way
        failure = error
    while held:
        yield heapq.heappop(held)[2]
    if failure is not None:
        raise failure
