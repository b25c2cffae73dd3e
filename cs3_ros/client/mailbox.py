"""A bounded queue at which threads and coroutines can wait.

Example, with room for two::

    box = Mailbox(2)
    box.put("a"); box.put("b"); box.put("c")      # "a" is forgotten, num_dropped is 1
    box.take()                                    # "b"
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Keeps the newest items until they are taken. Thread-safe.

    Args:
        capacity: Items that may wait, at least 1; one more pushes out the oldest.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.num_dropped = 0
        """Items that were pushed out before anybody took them."""
        self._items: deque[T] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self._waiting: set[Future[None]] = set()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no more items will come; those that are in can still be taken."""
        return self._closed

    def put(self, item: T) -> None:
        """Adds an item; returns at once."""
        with self._lock:
            self.num_dropped += len(self._items) == self._items.maxlen
            self._items.append(item)
            self._wake()

    def close(self) -> None:
        """Wakes all who wait, now and later."""
        with self._lock:
            self._closed = True
            self._wake()

    def take(self) -> T | None:
        """Takes the oldest item; None where there is none."""
        with self._lock:
            return self._items.popleft() if self._items else None

    def wait(self, timeout_s: float) -> None:
        """Returns when there is an item, the mailbox is closed, or the time is up."""
        with self._arrival() as arrival:
            wait([arrival], timeout_s)

    async def wait_async(self, timeout_s: float) -> None:
        """Does the same without blocking the event loop; may be cancelled."""
        with self._arrival() as arrival:
            await asyncio.wait([asyncio.wrap_future(arrival)], timeout=timeout_s)

    @contextmanager
    def _arrival(self) -> Iterator[Future[None]]:
        """A future that is done as soon as there is something to take."""
        arrival: Future[None] = Future()
        with self._lock:
            self._waiting.add(arrival)
            if self._items or self._closed:
                self._wake()
        try:
            yield arrival
        finally:
            with self._lock:
                self._waiting.discard(arrival)
            arrival.cancel()

    def _wake(self) -> None:
        for arrival in self._waiting:
            if arrival.set_running_or_notify_cancel():
                arrival.set_result(None)
        self._waiting.clear()
