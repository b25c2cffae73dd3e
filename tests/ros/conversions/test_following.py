"""Followed objects as messages, and back."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_model.tracking.follower import FollowedFrame
from cs3_model.tracking.tracker import FollowedObject
from cs3_ros.conversions.following import feedback_from_frame, frame_from_feedback

pytestmark = pytest.mark.ros

SIZE_HW = (20, 30)


def frame() -> FollowedFrame:
    mask = np.zeros(SIZE_HW, bool)
    mask[3:7, 10:15] = True
    objects = (FollowedObject.seen(mask, 0.75), FollowedObject.lost(SIZE_HW, 0.25))
    return FollowedFrame(stamp_ns=5_000_000_007, frame_id="camera", objects=objects)


def test_a_seen_object_travels_with_its_mask_and_a_lost_one_without() -> None:
    feedback = feedback_from_frame(frame())
    assert (feedback.header.stamp.sec, feedback.header.stamp.nanosec, feedback.header.frame_id) == (5, 7, "camera")
    seen, lost = feedback.objects
    assert seen.visible and list(seen.box) == [10, 3, 15, 7] and seen.score == 0.75
    assert seen.mask.format == "mono8; png compressed mono8" and seen.mask.header == feedback.header
    assert not lost.visible and list(lost.box) == [0, 0, 0, 0] and not len(lost.mask.data)


def test_back_and_forth_changes_nothing() -> None:
    back = frame_from_feedback(feedback_from_frame(frame()), SIZE_HW)
    assert (back.stamp_ns, back.frame_id) == (5_000_000_007, "camera")
    for found, given in zip(back.objects, frame().objects, strict=True):
        np.testing.assert_array_equal(found.mask, given.mask)
        assert (found.box_xyxy, found.score, found.visible) == (given.box_xyxy, given.score, given.visible)


def test_a_mask_that_is_none_is_refused() -> None:
    feedback = feedback_from_frame(frame())
    feedback.objects[0].mask.data = b"no png"
    with pytest.raises(ValueError, match="holds neither JPEG nor PNG"):
        frame_from_feedback(feedback, SIZE_HW)
