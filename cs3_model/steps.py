"""What a stream of sound and frames asks to be done about an onset: values from `cs3_model.stream` to `cs3_model.worker`."""

from __future__ import annotations

from dataclasses import dataclass

from cs3_model.frame_ring import StoredFrame
from cs3_model.types import AudioWindow, Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One onset."""

    event_id: int
    """Unique within the stream."""
    onset_ns: int
    """Time of the onset on the audio's clock, nanoseconds."""
    strength_db: float
    """Rise over the sound before it, dB."""
    doubt: float = 0.0
    """How doubtful it is that the onset was an impact, in [0, 1], once it is confirmed."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepare:
    """The vision stage can start, for an onset that is not yet confirmed."""

    event: Event
    frame: StoredFrame
    before: StoredFrame | None = None
    """A frame before the onset, where motion is asked for and there is one."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Finish:
    """Everything about a confirmed onset is here."""

    event: Event
    frame: StoredFrame
    window: AudioWindow
    before: StoredFrame | None = None
    """A frame before the onset, where motion is asked for and there is one."""
    after: StoredFrame | None = None
    """A frame after it, likewise."""
    spare: StoredFrame | None = None
    """The next nearest frame that is near enough, where one that cannot be decoded may be replaced."""
    complete_s: float
    """Monotonic time at which the last needed piece arrived, seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fail:
    """A confirmed onset that cannot be segmented."""

    event: Event
    reason: Reason
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdraw:
    """An onset that was not confirmed; forget what was prepared for it."""

    event: Event


Step = Prepare | Finish | Fail | Withdraw
