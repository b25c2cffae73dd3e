"""The last seconds of audio, on the clock of its stamps.

Samples are counted, not stamped: within a run of gapless blocks, sample ``n`` is at ``anchor + n / rate``. Stamps only
move the anchor, slowly, so their jitter averages out and a drifting sound card is followed. A block that does not
continue the run starts a new one::

    ring = AudioRing(span_s=1.0)
    ring.push(zeros(800, 16_000, stamp_s=0.0))    # START,  0.00 .. 0.05 s
    ring.push(zeros(800, 16_000, stamp_s=0.05))   # None,   0.05 .. 0.10 s
    ring.push(zeros(800, 16_000, stamp_s=0.3))    # GAP of 0.2 s, then 0.30 .. 0.35 s
    ring.push(zeros(800, 16_000, stamp_s=0.3))    # DUPLICATE, nothing is stored
    ring.push(zeros(800, 8_000, stamp_s=0.35))    # RATE_CHANGE, everything before is forgotten

where `zeros` makes an `AudioBlock`.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioBlock, AudioWindow, Float32Array

_NS = 1_000_000_000
_ANCHOR_TIME_CONSTANT_S = 10.0
_JITTER_TIME_CONSTANT_S = 1.0
_INITIAL_JITTER_S = 0.010
_JITTERS_PER_GAP = 5.0
_MIN_GAP_S = 0.005
_MAX_GAP_S = 0.100
_JUMP_BACK_S = 1.0


class Discontinuity(enum.Enum):
    """How a block fails to continue the one before it."""

    START = "start"
    """The first block, or the first after `AudioRing.clear`."""
    GAP = "gap"
    """Audio is missing before this block."""
    DUPLICATE = "duplicate"
    """The block repeats audio that is already here, and is not stored."""
    JUMP = "jump"
    """Time went back, or forward past the ring's span: everything before is forgotten."""
    RATE_CHANGE = "rate_change"
    """The sample rate changed: everything before is forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AcceptedAudio:
    """What `AudioRing.push` made of one block."""

    samples: Float32Array
    """Mono, float32 [T]; empty for a duplicate."""
    discontinuity: Discontinuity | None
    """None if the block continues the run; otherwise the onset detector must be reset before it."""
    missing_s: float = 0.0
    """Seconds missing before the block, for a gap."""
    num_repaired: int = 0
    """Samples that were not finite (now 0) or beyond full scale (now clipped)."""


@dataclass(slots=True)
class _Run:
    first_index: int
    anchor_ns: float
    num_blocks: int = 0


class AudioRing:
    """Keeps the last `span_s` seconds of mono audio without loss and cuts windows out of it.

    Args:
        span_s: How much audio is kept, seconds.

    Not thread-safe: one thread pushes and cuts.
    """

    def __init__(self, *, span_s: float = 10.0) -> None:
        if not span_s > 0:
            raise ValueError(f"span_s must be positive, got {span_s}")
        self.span_s = span_s
        self.sample_rate_hz = 0
        self._buffer = np.zeros(0, np.float32)
        self.clear()

    def clear(self) -> None:
        """Forgets all audio; the next block is a `Discontinuity.START`."""
        self._num_written = 0
        self._runs: deque[_Run] = deque()
        self._jitter_s = _INITIAL_JITTER_S

    @property
    def end_ns(self) -> int | None:
        """Time just after the newest sample, None when empty."""
        return self._time_ns(self._runs[-1], self._num_written) if self._runs else None

    @property
    def start_ns(self) -> int | None:
        """Time of the oldest sample still held, None when empty."""
        return self._time_ns(self._runs[0], self._oldest_index()) if self._runs else None

    def time_of_run_sample(self, run_sample: float) -> int:
        """Time, nanoseconds, of a sample counted from the start of the newest run (where a detector was reset)."""
        run = self._runs[-1]
        return self._time_ns(run, run.first_index + run_sample)

    def push(self, block: AudioBlock) -> AcceptedAudio:
        """Stores one block, its channels averaged.

        Raises:
            ValueError: if the shape or the rate make no sense.
        """
        sample_rate_hz, stamp_ns = block.sample_rate_hz, block.stamp_ns
        mono, num_repaired = _to_mono(block.samples)
        if sample_rate_hz <= 0:
            raise ValueError(f"sample_rate_hz must be positive, got {sample_rate_hz}")
        discontinuity, deviation_s = self._classify(mono.size, sample_rate_hz, stamp_ns)
        if discontinuity is Discontinuity.DUPLICATE:
            return AcceptedAudio(samples=mono[:0], discontinuity=discontinuity)
        if discontinuity is None:
            self._follow_stamps(mono.size / sample_rate_hz, deviation_s)
        else:
            self._start_run(discontinuity, sample_rate_hz, stamp_ns)
        self._append(mono)
        missing_s = deviation_s if discontinuity is Discontinuity.GAP else 0.0
        return AcceptedAudio(samples=mono, discontinuity=discontinuity, missing_s=missing_s, num_repaired=num_repaired)

    def window(self, start_ns: int, end_ns: int) -> tuple[AudioWindow, float]:
        """Cuts ``[start_ns, end_ns)`` and resamples it to 16 kHz.

        Returns:
            The window, zeros where there is no audio, and how many seconds are missing *between* samples that the
            ring holds: what lies before its first or after its last sample does not count.

        Raises:
            ValueError: if the window is empty or no audio has arrived yet.
        """
        if end_ns <= start_ns:
            raise ValueError(f"the window must end after it starts, got [{start_ns}, {end_ns})")
        if not self._runs:
            raise ValueError("no audio has arrived yet")
        rate = self.sample_rate_hz
        native = np.zeros(round((end_ns - start_ns) / _NS * rate), np.float32)
        held = np.zeros(native.size, bool)
        run_ends = [*[run.first_index for run in self._runs][1:], self._num_written]
        for run, run_end in zip(self._runs, run_ends, strict=True):
            first = run.first_index + round((start_ns - run.anchor_ns) / _NS * rate)
            low = max(first, run.first_index, self._oldest_index())
            high = min(first + native.size, run_end)
            if low < high:
                native[low - first : high - first] = self._read(low, high)
                held[low - first : high - first] = True
        samples = _resample(native, rate, round((end_ns - start_ns) / _NS * MODEL_SAMPLE_RATE_HZ))
        num_held = int(np.count_nonzero(held))
        if num_held == 0:
            return AudioWindow(samples=samples, start_ns=start_ns), native.size / rate
        assert self.start_ns is not None and self.end_ns is not None  # samples are held
        wanted_ns = min(end_ns, self.end_ns) - max(start_ns, self.start_ns)
        missing = max(0, round(wanted_ns / _NS * rate) - num_held)
        return AudioWindow(samples=samples, start_ns=start_ns), missing / rate

    def _classify(self, num_samples: int, rate: int, stamp_ns: int) -> tuple[Discontinuity | None, float]:
        if not self._runs:
            return Discontinuity.START, 0.0
        if rate != self.sample_rate_hz:
            return Discontinuity.RATE_CHANGE, 0.0
        deviation_s = (stamp_ns - self._time_ns(self._runs[-1], self._num_written)) / _NS
        tolerance_s = min(max(_JITTERS_PER_GAP * self._jitter_s, _MIN_GAP_S), _MAX_GAP_S)
        if deviation_s < -_JUMP_BACK_S or deviation_s > self.span_s:
            return Discontinuity.JUMP, deviation_s
        if deviation_s > tolerance_s:
            return Discontinuity.GAP, deviation_s
        if deviation_s < -max(tolerance_s, 0.5 * num_samples / rate):
            return Discontinuity.DUPLICATE, deviation_s
        return None, deviation_s

    def _follow_stamps(self, block_s: float, deviation_s: float) -> None:
        run = self._runs[-1]
        run.num_blocks += 1
        share = max(min(block_s / _ANCHOR_TIME_CONSTANT_S, 1.0), 1.0 / (run.num_blocks + 1))
        run.anchor_ns += share * deviation_s * _NS
        share = min(block_s / _JITTER_TIME_CONSTANT_S, 1.0)
        self._jitter_s += share * (abs(deviation_s) - self._jitter_s)

    def _start_run(self, discontinuity: Discontinuity, rate: int, stamp_ns: int) -> None:
        if discontinuity is not Discontinuity.GAP:
            self.clear()
        if rate != self.sample_rate_hz:
            self.sample_rate_hz = rate
            self._buffer = np.zeros(round(self.span_s * rate), np.float32)
        self._runs.append(_Run(first_index=self._num_written, anchor_ns=float(stamp_ns)))

    def _append(self, mono: Float32Array) -> None:
        size = self._buffer.size
        kept = mono[-size:]
        at = (self._num_written + mono.size - kept.size) % size
        head = min(kept.size, size - at)
        self._buffer[at : at + head] = kept[:head]
        self._buffer[: kept.size - head] = kept[head:]
        self._num_written += mono.size
        while len(self._runs) > 1 and self._runs[1].first_index <= self._oldest_index():
            self._runs.popleft()

    def _read(self, low: int, high: int) -> Float32Array:
        return self._buffer.take(np.arange(low, high), mode="wrap")

    def _oldest_index(self) -> int:
        return max(self._num_written - self._buffer.size, self._runs[0].first_index)

    def _time_ns(self, run: _Run, index: float) -> int:
        return round(run.anchor_ns + (index - run.first_index) / self.sample_rate_hz * _NS)


def _to_mono(samples: npt.ArrayLike) -> tuple[Float32Array, int]:
    array = np.asarray(samples, np.float32)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"samples must have shape [T] or [T, C] and not be empty, got {list(array.shape)}")
    mono = array if array.ndim == 1 else array.mean(axis=1, dtype=np.float32)
    bad = ~(np.abs(mono) <= 1.0)
    num_repaired = int(np.count_nonzero(bad))
    if num_repaired:
        mono = np.clip(np.nan_to_num(mono, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
    return mono, num_repaired


def _resample(native: Float32Array, rate: int, num_samples: int) -> Float32Array:
    """Resamples exactly the window, so that the result does not depend on what has arrived around it."""
    if rate == MODEL_SAMPLE_RATE_HZ:
        return native
    window = soxr.resample(native, rate, MODEL_SAMPLE_RATE_HZ, quality="HQ")[:num_samples]
    return np.clip(np.pad(window, (0, num_samples - window.size)), -1.0, 1.0)
