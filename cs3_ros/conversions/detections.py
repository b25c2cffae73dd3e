"""Collision results as vision_msgs/Detection2DArray, where vision_msgs is installed."""

from __future__ import annotations

from typing import Any

from std_msgs.msg import Header

from cs3_model.overlay import role_name
from cs3_model.types import CollisionResult

try:
    from vision_msgs.msg import Detection2D, ObjectHypothesisWithPose
    from vision_msgs.msg import Detection2DArray as Detection2DArray
except ImportError:
    Detection2DArray = None
"""The message class, None without vision_msgs."""


def detections_to_msg(result: CollisionResult, header: Header) -> Any:
    """Returns the boxes of the accepted masks; class_id is the role in words. Needs vision_msgs."""
    message = Detection2DArray(header=header)
    for candidate in result.masks:
        x_min, y_min, x_max, y_max = candidate.box_xyxy
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = role_name(candidate.role)
        hypothesis.hypothesis.score = float(candidate.score)
        detection = Detection2D(header=header, results=[hypothesis])
        detection.bbox.center.position.x = (x_min + x_max) / 2
        detection.bbox.center.position.y = (y_min + y_max) / 2
        detection.bbox.size_x = x_max - x_min
        detection.bbox.size_y = y_max - y_min
        message.detections.append(detection)
    return message
