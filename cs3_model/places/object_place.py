"""Where an object is: from the depth inside its mask, or from where its foot meets a plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.places.calibrated_camera import CalibratedCamera
from cs3_model.places.rigid_transform import Points, RigidTransform
from cs3_model.types import BoolMask, Float32Array

_EDGE_PX = 4.0
"""Depth is mixed with the background this near to the edge of a mask."""
_MIN_SHARE = 0.1
_MIN_PIXELS = 12
_MAX_SPREAD = 4.0
_MIN_SPREAD_M = 0.03
_FOOT_SHARE = 0.05
_CONTACT_PIXELS = 25


class PlaceUnknownError(ValueError):
    """Nothing can be said of where an object is; says why."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MeasuredPlace:
    """Where an object is, in the frame that was asked for."""

    position_m: Points
    """[3]: the middle of the visible surface, or the nearest point of the foot on a plane."""
    extent_m: Points | None
    """[3]: size of the visible surface along the axes; None from a plane."""
    contact_m: Points | None
    """[3]: the point nearest to the other object; None from a plane, or for a single object."""
    valid_share: float
    """Share of the mask's inner pixels that had depth; 1 from a plane."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plane:
    """The points p with normal . p = offset."""

    normal: Points
    """[3], of length 1."""
    offset_m: float

    def seen_from(self, to_plane_frame: RigidTransform) -> Plane:
        """The same plane in another frame, from which `to_plane_frame` leads to that of this one."""
        normal = to_plane_frame.rotation.inv().apply(self.normal)
        return Plane(normal=normal, offset_m=self.offset_m - float(self.normal @ to_plane_frame.translation_m))


def place_from_depth(
    mask: BoolMask,
    depth_m: Float32Array,
    camera: CalibratedCamera,
    *,
    contact_xy: tuple[float, float] | None = None,
    to_frame: RigidTransform | None = None,
) -> MeasuredPlace:
    """Measures an object in a depth image that is aligned to the camera.

    Only pixels inside the mask count, as the edge sees past the object, and of these only those near the median.

    Args:
        mask: bool [H, W].
        depth_m: Distance along the optical axis, metres, float32 [H, W]; 0, NaN and infinity where it is not known.
        camera: Of both images.
        contact_xy: The pixel of the mask that is nearest to the other object.
        to_frame: From the optical frame to that of the answer; None stays in the optical frame.

    Raises:
        PlaceUnknownError: if the sizes differ or too little of the mask has depth.
    """
    if depth_m.shape != mask.shape or camera.size_wh != mask.shape[::-1]:
        raise PlaceUnknownError(
            f"image, depth and camera_info must have one size, got {_size(mask.shape)}, {_size(depth_m.shape)} and "
            f"{camera.size_wh[0]}x{camera.size_wh[1]}: use depth that is aligned to the color camera"
        )
    rows, columns = np.nonzero(_inner(mask))
    depths = depth_m[rows, columns].astype(np.float64)
    valid = np.isfinite(depths) & (depths > 0.0)
    share = float(valid.mean()) if valid.size else 0.0
    if valid.sum() < _MIN_PIXELS or share < _MIN_SHARE:
        raise PlaceUnknownError(f"only {valid.sum()} of {valid.size} pixels inside the mask have depth")
    pixels, depths = np.stack([columns, rows], axis=1)[valid], depths[valid]
    near = _near_median(depths)
    pixels, depths = pixels[near], depths[near]
    to_frame = to_frame or RigidTransform.identity()
    points = to_frame.apply(camera.rays(pixels) * depths[:, None])
    contact = None
    if contact_xy is not None:
        nearest = np.argsort(np.hypot(*(pixels - contact_xy).T))[:_CONTACT_PIXELS]
        contact = to_frame.apply(camera.rays([contact_xy])[0] * np.median(depths[nearest]))
    low, high = np.percentile(points, (2, 98), axis=0)
    return MeasuredPlace(
        position_m=np.median(points, axis=0), extent_m=high - low, contact_m=contact, valid_share=share
    )


def place_on_plane(
    mask: BoolMask, camera: CalibratedCamera, plane: Plane, *, to_frame: RigidTransform | None = None
) -> MeasuredPlace:
    """Where the nearest point of an object's foot is, if the object stands on a plane.

    Args:
        mask: bool [H, W].
        camera: Of the image.
        plane: In the optical frame.
        to_frame: From the optical frame to that of the answer; None stays in the optical frame.

    Raises:
        PlaceUnknownError: if the sizes differ, or the plane is not in front of the camera there.
    """
    if camera.size_wh != mask.shape[::-1]:
        raise PlaceUnknownError(
            f"camera_info says {camera.size_wh[0]}x{camera.size_wh[1]}, the image has {_size(mask.shape)} pixels"
        )
    foot = foot_pixels(mask, camera, plane)
    points = _met(camera.rays(foot), plane)
    to_frame = to_frame or RigidTransform.identity()
    return MeasuredPlace(
        position_m=to_frame.apply(np.median(points, axis=0)), extent_m=None, contact_m=None, valid_share=1.0
    )


def foot_pixels(mask: BoolMask, camera: CalibratedCamera, plane: Plane) -> npt.NDArray[np.int64]:
    """The pixels [K, 2] of a mask that look at the plane nearest to the camera: those of the object's foot.

    Raises:
        PlaceUnknownError: if the plane is not in front of the camera there.
    """
    rows, columns = np.nonzero(mask)
    pixels = np.stack([columns, rows], axis=1)
    points = _met(camera.rays(pixels), plane)
    in_front = np.isfinite(points).all(axis=1)
    if not in_front.any():
        raise PlaceUnknownError("the plane is not in front of the camera where the mask is: check its height and frame")
    pixels, distances = pixels[in_front], np.linalg.norm(points[in_front], axis=1)
    return pixels[distances <= np.quantile(distances, _FOOT_SHARE)]


def _met(rays: Points, plane: Plane) -> Points:
    """Where rays from the origin meet a plane, NaN where they do not."""
    slope = rays @ plane.normal
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = plane.offset_m / slope
    return rays * np.where(np.isfinite(distance) & (distance > 0.0), distance, np.nan)[:, None]


def _inner(mask: BoolMask) -> BoolMask:
    """The mask without its edge; of a thin one the middle remains."""
    padded = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    to_edge = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.asarray(to_edge > min(_EDGE_PX, 0.5 * float(to_edge.max()))) & mask


def _near_median(depths: Points) -> npt.NDArray[np.bool_]:
    """Leaves out what is behind or before the object: a few times the usual deviation from the median."""
    deviation = np.abs(depths - np.median(depths))
    return np.asarray(deviation <= max(_MIN_SPREAD_M, _MAX_SPREAD * float(np.median(deviation))))


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
