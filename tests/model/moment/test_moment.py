"""What is known of a moment, and what is not, from the frames that are there."""

from __future__ import annotations

import numpy as np

from cs3_model.moment.moment import Moment, with_motion_after, with_motion_before
from cs3_model.moment.motion import MotionConfig, MotionEstimator
from cs3_model.types import Frame
from tests.model.moment.test_motion import texture, with_patch

ESTIMATOR = MotionEstimator(MotionConfig(width_px=256))


def frame(x: int, milliseconds: int) -> Frame:
    return Frame(image=with_patch(texture(1), x, 60), stamp_ns=milliseconds * 1_000_000)


def measured(at: Frame, before: Frame | None = None, after: Frame | None = None) -> Moment:
    return with_motion_after(with_motion_before(Moment(), ESTIMATOR, at, before), ESTIMATOR, at, after)


def test_both_sides_of_the_onset_are_measured_on_its_frame() -> None:
    """The patch comes to rest: 8 pixels in the tenth of a second before the onset, none after it."""
    after = Frame(image=np.roll(frame(98, 100).image, 1, axis=0), stamp_ns=100_000_000)
    moment = measured(frame(98, 0), frame(90, -100), after)
    assert moment.unknown == ()
    assert moment.before is not None and moment.after is not None
    patch = (slice(72, 96), slice(110, 134))
    assert moment.before.speed[patch].mean() > 0.2
    assert moment.after.speed[patch].mean() < 0.05


def test_what_has_no_frame_is_unknown_and_said_so() -> None:
    moment = measured(frame(98, 0), frame(90, -100))
    assert moment.after is None
    assert moment.unknown == ("no frame after the onset",)
    assert len(moment.motions) == 1


def test_what_cannot_be_compared_is_unknown_and_said_so() -> None:
    moment = measured(frame(98, 0), frame(98, -33), Frame(image=texture(9), stamp_ns=50_000_000))
    assert moment.motions == ()
    assert moment.unknown[0] == "before the onset the frames are the same: the image is frozen"
    assert moment.unknown[1].startswith("after the onset the frames show different scenes")
