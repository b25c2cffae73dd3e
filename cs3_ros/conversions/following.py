"""Followed objects to the feedback of TrackCollision, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from cs3_msgs.action import TrackCollision
from cs3_msgs.msg import TrackedObject
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from cs3_model.tracking.follower import FollowedFrame
from cs3_model.tracking.tracker import FollowedObject
from cs3_ros.conversions.images import mask_from_msg, mask_to_png
from cs3_ros.conversions.times import ns_to_stamp, stamp_to_ns


def feedback_from_frame(frame: FollowedFrame) -> TrackCollision.Feedback:
    """Returns the feedback about one followed frame."""
    header = Header(stamp=ns_to_stamp(frame.stamp_ns), frame_id=frame.frame_id)
    objects = [
        TrackedObject(
            visible=found.visible,
            score=found.score,
            box=np.array(found.box_xyxy, np.float32),
            mask=mask_to_png(found.mask, header) if found.visible else CompressedImage(header=header),
        )
        for found in frame.objects
    ]
    return TrackCollision.Feedback(header=header, objects=objects)


def frame_from_feedback(feedback: Any, size_hw: tuple[int, int]) -> FollowedFrame:
    """Returns the followed frame that a feedback carries.

    Args:
        feedback: A TrackCollision.Feedback.
        size_hw: Height and width of the masks that are followed, which lost objects have too.

    Raises:
        ValueError: if a mask cannot be decoded.
    """
    objects = [
        FollowedObject.seen(mask_from_msg(found.mask), found.score)
        if found.visible
        else FollowedObject.lost(size_hw, found.score)
        for found in feedback.objects
    ]
    return FollowedFrame(
        stamp_ns=stamp_to_ns(feedback.header.stamp), frame_id=feedback.header.frame_id, objects=tuple(objects)
    )
