"""What the onset detector reports, and the slot for a second opinion."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from cs3_model.types import Float32Array


class OnsetState(enum.Enum):
    """The life of an onset: provisional first, then confirmed or withdrawn, exactly once."""

    PROVISIONAL = "provisional"
    """Something began that may be a collision. Vision can start on it."""
    CONFIRMED = "confirmed"
    """It went on as a collision does."""
    WITHDRAWN = "withdrawn"
    """It did not, or a much louder onset followed within the refractory time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnsetEvent:
    """One step in the life of one onset. Positions count samples of the input since the last reset."""

    state: OnsetState
    onset_id: int
    """Pairs a provisional onset with its end; never reused by one detector, not even after a reset."""
    onset_sample: int
    """Position at which the sound begins."""
    decided_sample: int
    """Number of samples that had to be heard to decide this; it does not depend on the chunking."""
    strength_db: float
    """Peak of the 1 ms level above the background before it, decibel."""
    doubt: float = 0.0
    """Of a confirmed onset: the probability in [0, 1] that it was a voice after all; 0 where no voice is heard."""


class CollisionGate(Protocol):
    """A second opinion on an onset that is about to be confirmed, for example a learned classifier."""

    def __call__(self, window: Float32Array, sample_rate_hz: int) -> float:
        """Returns the probability in [0, 1] that `window`, mono float32 [T], holds a collision.

        The window starts `ConfirmationConfig.gate_lead_s` before the onset, or at the start of the stream, and ends
        with the last sample known. The call runs inside `OnsetDetector.push`, so it must be quick.
        """
