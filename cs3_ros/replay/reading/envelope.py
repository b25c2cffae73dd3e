"""The outline of a recording's sound in bounded memory, for the time line of the report."""

from __future__ import annotations

import numpy as np

from cs3_model.types import Float32Array

_MAX_BUCKETS = 4096


class Envelope:
    """Largest and smallest sample of equal spans of time.

    When the buckets are full, neighbours are merged and the spans double::

        envelope = Envelope(span_s=1.0, max_buckets=2)
        envelope.add(0.0, [0.5]); envelope.add(1.5, [-0.5]); envelope.add(2.5, [0.1])
        envelope.span_s, envelope.high     # 2.0, [0.5, 0.1]
    """

    def __init__(self, *, span_s: float = 0.01, max_buckets: int = _MAX_BUCKETS) -> None:
        self.span_s = span_s
        self._low = np.zeros(max_buckets, np.float32)
        self._high = np.zeros(max_buckets, np.float32)
        self._num_used = 0

    @property
    def low(self) -> Float32Array:
        """Smallest sample of each span, at most 0, float32 [N]."""
        return self._low[: self._num_used]

    @property
    def high(self) -> Float32Array:
        """Largest sample of each span, at least 0, float32 [N]."""
        return self._high[: self._num_used]

    def add(self, time_s: float, samples: Float32Array) -> None:
        """Adds samples [T] or [T, C], counted as if all were at `time_s`, seconds since the beginning."""
        if time_s < 0.0:
            return
        while (bucket := int(time_s / self.span_s)) >= self._low.size:
            self._merge()
        self._num_used = max(self._num_used, bucket + 1)
        self._low[bucket] = min(self._low[bucket], np.min(samples))
        self._high[bucket] = max(self._high[bucket], np.max(samples))

    def _merge(self) -> None:
        for values, merge in ((self._low, np.minimum), (self._high, np.maximum)):
            half = values.size // 2
            values[:half] = merge(values[: 2 * half : 2], values[1 : 2 * half : 2])
            values[half:] = 0.0
        self._num_used = (self._num_used + 1) // 2
        self.span_s *= 2.0
