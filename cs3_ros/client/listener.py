"""Waiting for collisions, in a thread or in a coroutine, and giving up with a reason."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cs3_ros.client.collision import Collision
from cs3_ros.client.errors import PerceptionAbsentError, PerceptionSilentError, PerceptionVersionError
from cs3_ros.client.link import PerceptionLink
from cs3_ros.client.mailbox import Mailbox

_LOOK_S = 0.2
"""While waiting, how often to see whether the node is still there, seconds."""


class CollisionListener:
    """The collisions that one `CollisionClient.listen` hears, for ``for`` and for ``async for``.

    Each raises `PerceptionAbsentError`, `PerceptionSilentError` or `PerceptionVersionError` where it waits in vain, and
    can be continued after that. When the client is closed, the loop ends. A listener that nobody holds any more is forgotten.
    """

    def __init__(
        self, mailbox: Mailbox[Collision], link: PerceptionLink, *, timeout: float | None, patience_s: float
    ) -> None:
        self._mailbox = mailbox
        self._link = link
        self._timeout = timeout
        self._patience_s = patience_s

    @property
    def num_dropped(self) -> int:
        """Collisions that were lost to this listener because it was too slow for its queue."""
        return self._mailbox.num_dropped

    def poll(self) -> Collision | None:
        """The oldest collision that waits, at once; None where there is none. For loops that must not block."""
        return self._mailbox.take()

    def __iter__(self) -> Iterator[Collision]:
        return self

    def __next__(self) -> Collision:
        watch = Watch(self._link, self._patience_s, self._timeout)
        while (collision := self._mailbox.take()) is None:
            if self._mailbox.closed:
                raise StopIteration
            self._mailbox.wait(watch.look("no collision"))
        return collision

    def __aiter__(self) -> CollisionListener:
        return self

    async def __anext__(self) -> Collision:
        if (collision := await self.receive(self._timeout)) is None:
            raise StopAsyncIteration
        return collision

    async def receive(self, timeout: float | None) -> Collision | None:
        """The next collision, or None when the client is closed; see `CollisionClient.next` for the rest."""
        watch = Watch(self._link, self._patience_s, timeout)
        while (collision := self._mailbox.take()) is None:
            if self._mailbox.closed:
                return None
            await self._mailbox.wait_async(watch.look("no collision"))
        return collision


class Watch:
    """One wait: says how long until the next look at the graph, and gives up when it is hopeless."""

    def __init__(self, link: PerceptionLink, patience_s: float, timeout: float | None) -> None:
        self._link = link
        self._patience_s = patience_s
        self._timeout = timeout
        self._begin_s = self._seen_s = time.monotonic()

    def look(self, what: str) -> float:
        """Returns seconds to wait before looking again.

        Raises:
            PerceptionAbsentError: if the node has been missing for too long.
            PerceptionSilentError: if the time is up.
            PerceptionVersionError: if the node was built with another definition of the messages.
        """
        now_s = time.monotonic()
        link, left_s = self._link, float("inf")
        present = link.is_present
        if present:
            self._seen_s = now_s
        if self._timeout is not None:
            left_s = self._begin_s + self._timeout - now_s
        if link.has_died:
            raise PerceptionAbsentError(
                f"the node {link.node_name} has ended or cannot be reached any more: start it again, and see its log"
            )
        if complaint := link.complaint_of_version():
            raise PerceptionVersionError(complaint)
        if not present and (left_s <= 0 or now_s - self._seen_s >= self._patience_s):
            raise PerceptionAbsentError(
                f"no node {link.node_name} publishes {link.topic}: start it (ros2 launch cs3_ros perception.launch.py), "
                "or give its node and namespace, and see that ROS_DOMAIN_ID is the same"
            )
        if left_s <= 0:
            raise PerceptionSilentError(f"{what} from {link.topic} within {self._timeout:g} s: {link.diagnosis()}")
        return min(left_s, _LOOK_S)
