"""Listens to collisions in the background of a server, so that nothing is missed between two calls of a tool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cs3_ros.client import Collision, CollisionClient, PerceptionAbsentError
from cs3_ros.mcp_server.collision_memory import CollisionMemory, RememberedCollision
from cs3_ros.mcp_server.jpeg_pictures import collision_pictures

logger = logging.getLogger(__name__)

_RETRY_S = 0.5


class BackgroundHearing:
    """Remembers each collision that a client hears of, in order.

    Args:
        client: Hears; it stays the caller's to close.
    """

    def __init__(self, client: CollisionClient) -> None:
        self.client = client
        self.memory = CollisionMemory()
        self._news = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens until the end of the `async with`."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def remember(self, collision: Collision) -> RememberedCollision:
        """Adds a collision, and wakes who waits."""
        pictures = await asyncio.to_thread(collision_pictures, collision)  # takes some milliseconds
        remembered = self.memory.add(collision, pictures)
        self._news.set()
        self._news = asyncio.Event()
        return remembered

    async def wait_after(self, number: int, timeout_s: float) -> RememberedCollision:
        """The oldest remembered collision after that number, as soon as there is one.

        Raises:
            PerceptionAbsentError: if the node is not there.
            PerceptionSilentError: if the time is up.
        """
        watch = self.client.watch(timeout_s)
        while (found := self.memory.after(number)) is None:
            pause_s = watch.look("no collision")
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause_s)
        return found

    async def _listen(self) -> None:
        listener = self.client.listen()
        while True:
            try:
                collision = await listener.receive(None)
                if collision is None:  # the client was closed
                    return
                await self.remember(collision)
            except PerceptionAbsentError:  # who waits is told; it may come back
                await asyncio.sleep(_RETRY_S)
            except Exception:  # one odd collision must not end the listening
                logger.exception("a collision could not be remembered")
