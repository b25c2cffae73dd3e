"""Stamps blocks of a sampled signal by counting samples."""

from __future__ import annotations

NS_PER_S = 1_000_000_000


class SampleClock:
    """Turns the jittery times at which blocks are noticed into the even times at which they were sampled.

    The first block is stamped as measured, every further one by the number of samples before it. Because no sound
    card runs at exactly its nominal rate, the stamps are pulled towards the measured times, so slowly that jitter
    averages out. A measured time that is far off means that samples were lost or that the clock was set: the next
    stamp starts afresh from it.

    With 10 samples of 1 kHz per block and a time constant of 1 s, blocks measured at 0, 14 and 20 ms are stamped
    0, 10.04 and 20.0396 ms: of each error, a hundredth (10 ms of 1 s) is made good.
    """

    def __init__(self, sample_rate_hz: int, *, time_constant_s: float = 10.0, max_error_s: float = 0.1) -> None:
        """Makes a clock that has seen no block.

        Args:
            sample_rate_hz: Nominal rate.
            time_constant_s: How slowly measured times pull; a constant drift of d lags d times this behind.
            max_error_s: An error beyond this starts afresh.
        """
        self._rate_hz = sample_rate_hz
        self._time_constant_s = time_constant_s
        self._max_error_ns = round(max_error_s * NS_PER_S)
        self._anchor_ns: int | None = None
        self._num_samples = 0  # since the anchor, so that no rounding adds up
        self.num_restarts = 0
        """How often a measured time was too far off."""

    def stamp(self, num_samples: int, measured_ns: int) -> int:
        """Returns the time of a block's first sample.

        Args:
            num_samples: Samples per channel in the block.
            measured_ns: The same time as measured, nanoseconds.
        """
        if self._anchor_ns is None:
            self._anchor_ns, self._num_samples = measured_ns, 0
        expected_ns = self._anchor_ns + self._num_samples * NS_PER_S // self._rate_hz
        error_ns = measured_ns - expected_ns
        if abs(error_ns) > self._max_error_ns:
            self.num_restarts += 1
            self._anchor_ns, self._num_samples, expected_ns, error_ns = measured_ns, 0, measured_ns, 0
        share = min(1.0, num_samples / self._rate_hz / self._time_constant_s)
        correction_ns = round(share * error_ns)
        self._anchor_ns += correction_ns
        self._num_samples += num_samples
        return expected_ns + correction_ns

    def restart(self) -> None:
        """Stamps the next block as measured: samples were lost before it."""
        self._anchor_ns = None
