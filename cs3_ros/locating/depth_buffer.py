"""The newest depth images as they came, until the collision that needs one of them."""

from __future__ import annotations

from collections import deque
from typing import Any

from cs3_ros.conversions.times import stamp_to_ns


class DepthBuffer:
    """Keeps the newest messages, bounded in bytes. Not thread-safe.

    Example, with room for two messages of 100 bytes::

        buffer = DepthBuffer(max_bytes=200)
        buffer.push(at_0); buffer.push(at_33); buffer.push(at_66)    # forgets that at 0
        buffer.nearest(40)                                            # at_33
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._messages: deque[tuple[int, Any]] = deque()

    def push(self, msg: Any) -> None:
        """Adds a depth image; if its stamp is older than the newest by a second, the clock jumped: all others go."""
        stamp_ns = stamp_to_ns(msg.header.stamp)
        if self._messages and stamp_ns < self._messages[-1][0] - 1_000_000_000:
            self._messages.clear()
            self._num_bytes = 0
        self._messages.append((stamp_ns, msg))
        self._num_bytes += len(msg.data)
        while self._num_bytes > self._max_bytes and len(self._messages) > 1:
            self._num_bytes -= len(self._messages.popleft()[1].data)

    def nearest(self, stamp_ns: int) -> Any | None:
        """The message whose stamp is nearest; None where there is none at all."""
        if not self._messages:
            return None
        return min(self._messages, key=lambda kept: abs(kept[0] - stamp_ns))[1]
