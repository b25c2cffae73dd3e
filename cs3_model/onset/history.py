"""The recent past of a stream, addressed by absolute sample position."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class SampleHistory:
    """Keeps at least the last `span` samples of a stream in constant memory.

    Positions count from the first sample ever appended. With ``span=3``, after appending 0, 1, 2, 3, 4:
    ``end == 5``, ``segment(2, 5) == [2, 3, 4]`` and ``segment(4, 9) == [4]``. Samples older than the span may still
    be there or not; ask only for what lies within it.
    """

    def __init__(self, span: int) -> None:
        self._span = span
        self._buffer = np.zeros(4 * span)
        self.clear()

    def clear(self) -> None:
        """Forgets everything; the next sample has position 0."""
        self._filled = 0
        self.end = 0

    def append(self, samples: npt.NDArray[np.float64]) -> None:
        """Adds samples [T], T at most three times the span."""
        assert len(samples) <= 3 * self._span
        if self._filled + len(samples) > len(self._buffer):
            self._buffer[: self._span] = self._buffer[self._filled - self._span : self._filled]
            self._filled = self._span
        self._buffer[self._filled : self._filled + len(samples)] = samples
        self._filled += len(samples)
        self.end += len(samples)

    @property
    def start(self) -> int:
        """Position of the oldest sample still held."""
        return self.end - self._filled

    def segment(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Returns a view of the samples in [start, stop) that are held; it is valid until the next append."""
        offset = self.start
        return self._buffer[max(0, start - offset) : max(0, min(stop, self.end) - offset)]
