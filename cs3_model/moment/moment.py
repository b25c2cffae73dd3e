"""What moved around one onset, from up to three frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cs3_model.moment.motion import Motion, MotionEstimator, UnknownMotionError
from cs3_model.types import Float32Array, Frame

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
    reduced: Float32Array | None = None
    """The frame of the onset as the estimator compares it, once it has been reduced."""

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
    reduced, motion, why = _measured(moment, estimator, frame, other, "before")
    return replace(moment, before=motion, unknown=(*moment.unknown, *why), reduced=reduced)


def with_motion_after(moment: Moment, estimator: MotionEstimator, frame: Frame, other: Frame | None) -> Moment:
    """Adds what moved in the time after the onset, as `with_motion_before` does."""
    reduced, motion, why = _measured(moment, estimator, frame, other, "after")
    return replace(moment, after=motion, unknown=(*moment.unknown, *why), reduced=reduced)


def _measured(
    moment: Moment, estimator: MotionEstimator, frame: Frame, other: Frame | None, when: str
) -> tuple[Float32Array | None, Motion | None, tuple[str, ...]]:
    """The reduced frame of the onset, the motion, and why it is unknown."""
    if other is None:
        return moment.reduced, None, (f"no frame {when} the onset",)
    reduced = estimator.reduced(frame.image) if moment.reduced is None else moment.reduced
    seconds = (other.stamp_ns - frame.stamp_ns) / _NS
    try:
        return reduced, estimator.between(reduced, estimator.reduced(other.image), seconds), ()
    except UnknownMotionError as error:
        return reduced, None, (f"{when} the onset {error}",)
