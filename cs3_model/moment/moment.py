"""What moved around one onset, from up to three frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cs3_model.moment.motion import Motion, MotionEstimator, UnknownMotionError
from cs3_model.types import Frame

_NS = 1e9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moment:
    """Motion at the place of everything in the frame of the onset."""

    before: Motion | None = None
    """In the time before the onset; None if unknown."""
    after: Motion | None = None
    """In the time after it; None if unknown."""
    unknown: tuple[str, ...] = ()
    """Why something is unknown, a short phrase each."""

    @property
    def motions(self) -> tuple[Motion, ...]:
        """What is known, the time after the onset first."""
        return tuple(motion for motion in (self.after, self.before) if motion is not None)


def with_motion_before(moment: Moment, estimator: MotionEstimator, frame: Frame, other: Frame | None) -> Moment:
    """Adds what moved in the time before the onset.

    Args:
        moment: What is known already.
        estimator: Measures.
        frame: In which the masks are drawn.
        other: The earlier frame that it is compared with; None if there is none.
    """
    motion, why = _measured(estimator, frame, other, "before")
    return replace(moment, before=motion, unknown=(*moment.unknown, *why))


def with_motion_after(moment: Moment, estimator: MotionEstimator, frame: Frame, other: Frame | None) -> Moment:
    """Adds what moved in the time after the onset, as `with_motion_before` does."""
    motion, why = _measured(estimator, frame, other, "after")
    return replace(moment, after=motion, unknown=(*moment.unknown, *why))


def _measured(
    estimator: MotionEstimator, frame: Frame, other: Frame | None, when: str
) -> tuple[Motion | None, tuple[str, ...]]:
    if other is None:
        return None, (f"no frame {when} the onset",)
    try:
        seconds = (other.stamp_ns - frame.stamp_ns) / _NS
        return estimator.between(estimator.reduced(frame.image), estimator.reduced(other.image), seconds), ()
    except UnknownMotionError as error:
        return None, (f"{when} the onset {error}",)
