"""Puts blocks of sound that arrive out of order back in order, within a bounded wait.

Networks that lose nothing may still swap messages. A block from before the one that is due shows it; from then on a
block that comes too early waits for those before it::

    order = BlockOrder()             # blocks of 20 ms at 0, 40, 20, 60, 100, 80 ms
    order.put(0), order.put(40)      # [0], [40]: nothing is wrong yet
    order.put(20)                    # [20]: late, for the ring to drop; early blocks wait from now on
    order.put(60)                    # [60]
    order.put(100)                   # []: 80 ms is due
    order.put(80)                    # [80, 100]
"""

from __future__ import annotations

import numpy as np

from cs3_model.types import AudioBlock

_NS = 1_000_000_000
_MAX_WAIT_S = 0.1
"""How much later sound may be here before what is missing counts as lost."""
_ALERT_S = 10.0
"""For so long after disorder was seen, early blocks wait."""


class BlockOrder:
    """Holds back blocks that come too early. Not thread-safe."""

    def __init__(self) -> None:
        self.num_reordered = 0
        """Blocks that came before their turn and were put in order."""
        self.clear()

    def clear(self) -> None:
        """Forgets what is held, and that there was disorder."""
        self._held: list[AudioBlock] = []
        self._due_ns: int | None = None
        self._alert_until_ns = 0

    def put(self, block: AudioBlock) -> list[AudioBlock]:
        """Takes a block; returns those whose turn it is, in order."""
        half_ns = _duration_ns(block) // 2
        if self._due_ns is None or block.stamp_ns > self._due_ns + 10 * _NS or block.stamp_ns < self._due_ns - _NS:
            return [*self.flush(), *self._passed([block])]
        if block.stamp_ns < self._due_ns - half_ns:
            self._alert_until_ns = self._due_ns + round(_ALERT_S * _NS)
        is_early = block.stamp_ns > self._due_ns + half_ns
        if not (is_early and block.stamp_ns < self._alert_until_ns):
            return [*self._passed([block]), *self._whose_turn_it_is()]
        self._held.append(block)
        self._held.sort(key=lambda held: held.stamp_ns)
        if self._held[-1].stamp_ns + _duration_ns(self._held[-1]) - self._due_ns > _MAX_WAIT_S * _NS:
            return self.flush()
        return []

    def flush(self) -> list[AudioBlock]:
        """Returns what is held: what is missing will not come."""
        held, self._held = self._held, []
        return self._passed(held)

    def _whose_turn_it_is(self) -> list[AudioBlock]:
        ready: list[AudioBlock] = []
        while self._held and self._due_ns is not None:
            if self._held[0].stamp_ns > self._due_ns + _duration_ns(self._held[0]) // 2:
                break
            ready += self._passed([self._held.pop(0)])
            self.num_reordered += 1
        return ready

    def _passed(self, blocks: list[AudioBlock]) -> list[AudioBlock]:
        for block in blocks:
            end_ns = block.stamp_ns + _duration_ns(block)
            jumped_back = self._due_ns is not None and block.stamp_ns < self._due_ns - _NS
            self._due_ns = end_ns if self._due_ns is None or jumped_back else max(self._due_ns, end_ns)
        return blocks


def _duration_ns(block: AudioBlock) -> int:
    num_samples = np.shape(block.samples)[0] if np.ndim(block.samples) else 0
    return num_samples * _NS // max(1, block.sample_rate_hz)
