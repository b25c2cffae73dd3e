"""Where the objects of a collision are, from what is known of depth, camera, plane and frames at its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from cs3_msgs.msg import Collision, CollisionPlaces, ObjectPlace
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import Header

from cs3_model.places.calibrated_camera import CalibratedCamera
from cs3_model.places.object_place import MeasuredPlace, PlaceUnknownError, Plane, place_from_depth, place_on_plane
from cs3_model.places.rigid_transform import RigidTransform
from cs3_model.places.transform_tree import TransformNotYetError, TransformTree
from cs3_model.types import Candidate, Float32Array, Role
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.depth import depth_from_msg
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.locating.depth_buffer import DepthBuffer

_HELD = Role.LEFT_HAND | Role.RIGHT_HAND


class PlaceNotYetError(ValueError):
    """Something that is needed may still come; says what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocatorConfig:
    """What is known of the room.

    Raises:
        ValueError: if a value is out of its range.
    """

    frame: str = ""
    """In which positions are told; empty tells them in the camera's."""
    plane_frame: str = ""
    """Frame of a horizontal plane on which objects stand, its z upwards; empty knows none."""
    plane_height_m: float = 0.0
    """Height of the plane in its frame."""
    max_depth_offset_s: float = 0.05
    """The depth image may lie this far from the image."""

    def __post_init__(self) -> None:
        if not np.isfinite(self.plane_height_m):
            raise ValueError(f"plane_height_m must be finite, got {self.plane_height_m}")
        if not 0.0 <= self.max_depth_offset_s <= 10.0:
            raise ValueError(f"max_depth_offset_s must be 0 to 10, got {self.max_depth_offset_s}")


class Locator:
    """Answers for one collision at a time. Not thread-safe.

    Args:
        config: What is known of the room.
    """

    def __init__(self, config: LocatorConfig) -> None:
        self.config = config
        self.camera: CalibratedCamera | None = None
        """Of the image and of the depth that is aligned to it; None while camera_info has not come."""
        self.depths = DepthBuffer(max_bytes=256 * 2**20)
        self.transforms = TransformTree()

    def locate(self, collision: Collision, *, is_last_try: bool) -> CollisionPlaces:
        """Returns a place, or the reason why there is none, for each mask.

        Args:
            collision: With at least one mask.
            is_last_try: Makes do with what is there.

        Raises:
            PlaceNotYetError: if something may still come, unless it is the last try.
        """
        stamp_ns, camera_frame = stamp_to_ns(collision.header.stamp), collision.header.frame_id
        frame = self.config.frame or camera_frame
        answer = CollisionPlaces(header=Header(stamp=collision.header.stamp, frame_id=frame), onset=collision.onset)
        for candidate in collision_from_msg(collision).masks:
            try:
                answer.places.append(self._place(candidate, camera_frame, frame, stamp_ns))
            except (PlaceNotYetError, TransformNotYetError) as error:
                if not is_last_try:
                    raise PlaceNotYetError(str(error)) from None
                answer.places.append(ObjectPlace(reason=str(error)))
            except ValueError as error:  # broken depth, sizes, frames, too little depth
                answer.places.append(ObjectPlace(reason=str(error)))
        return answer

    def _place(self, candidate: Candidate, camera_frame: str, frame: str, stamp_ns: int) -> ObjectPlace:
        if self.camera is None:
            raise PlaceNotYetError("no camera_info has come: publish the calibration of the camera")
        to_frame = self._transform(frame, camera_frame, stamp_ns)
        try:
            depth_m = self._depth(camera_frame, stamp_ns)
            place = place_from_depth(
                candidate.mask, depth_m, self.camera, contact_xy=candidate.contact_xy, to_frame=to_frame
            )
            return _message(place, ObjectPlace.SOURCE_DEPTH)
        except (PlaceUnknownError, PlaceNotYetError) as error:
            if not self.config.plane_frame:
                raise
            without_depth = str(error)
        if candidate.role & _HELD:
            raise PlaceUnknownError(f"it is held, so the plane says nothing of it, and {without_depth}")
        plane = Plane(normal=np.array([0.0, 0.0, 1.0]), offset_m=self.config.plane_height_m)
        plane = plane.seen_from(self._transform(self.config.plane_frame, camera_frame, stamp_ns))
        place = place_on_plane(candidate.mask, self.camera, plane, to_frame=to_frame)
        return _message(place, ObjectPlace.SOURCE_PLANE)

    def _transform(self, target: str, camera_frame: str, stamp_ns: int) -> RigidTransform:
        if target == camera_frame:
            return RigidTransform.identity()
        return self.transforms.lookup(target, camera_frame, stamp_ns=stamp_ns)

    def _depth(self, camera_frame: str, stamp_ns: int) -> Float32Array:
        msg: Any = self.depths.nearest(stamp_ns)
        if msg is None:
            raise PlaceNotYetError("no depth image has come")
        offset_s = abs(stamp_to_ns(msg.header.stamp) - stamp_ns) / NS_PER_S
        if offset_s > self.config.max_depth_offset_s:
            raise PlaceNotYetError(f"the nearest depth image lies {offset_s:.2f} s from the image")
        if msg.header.frame_id != camera_frame:
            raise PlaceUnknownError(
                f"the depth image is in the frame {msg.header.frame_id!r}, the image in {camera_frame!r}: "
                "use depth that is aligned to the color camera"
            )
        return depth_from_msg(msg)


def _message(place: MeasuredPlace, source: int) -> ObjectPlace:
    message = ObjectPlace(source=source, position=_point(place.position_m), valid_share=place.valid_share)
    if place.extent_m is not None:
        x, y, z = map(float, place.extent_m)
        message.has_extent, message.extent = True, Vector3(x=x, y=y, z=z)
    if place.contact_m is not None:
        message.has_contact_point, message.contact_point = True, _point(place.contact_m)
    return message


def _point(xyz: Any) -> Point:
    x, y, z = map(float, xyz)
    return Point(x=x, y=y, z=z)
