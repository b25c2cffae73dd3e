"""Depth images and calibrations of cameras as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from cs3_model.places.calibrated_camera import CalibratedCamera
from cs3_model.types import Float32Array
from cs3_ros.conversions.picture_size import check_size

_DTYPES = {"16UC1": ("u2", 1e-3), "mono16": ("u2", 1e-3), "32FC1": ("f4", 1.0)}
"""Of each encoding (REP-118): the type of a pixel, and its unit in metres."""


def depth_from_msg(msg: Any) -> Float32Array:
    """The distances of a sensor_msgs/Image, float32 [H, W], metres; 0, NaN or infinity where they are not known.

    Raises:
        ValueError: if it is no depth image or its bytes do not fit its size.
    """
    if msg.encoding not in _DTYPES:
        raise ValueError(f"a depth image must be 16UC1 (millimetres) or 32FC1 (metres), got {msg.encoding!r}")
    check_size(msg.width, msg.height)
    kind, unit_m = _DTYPES[msg.encoding]
    dtype = np.dtype(kind).newbyteorder(">" if msg.is_bigendian else "<")
    row_bytes = msg.width * dtype.itemsize
    data = np.frombuffer(msg.data, np.uint8)
    if msg.step < row_bytes or data.size < msg.step * msg.height:
        raise ValueError(
            f"a depth image of {msg.width}x{msg.height} {msg.encoding} cannot have rows of {msg.step} bytes and "
            f"{data.size} bytes in all"
        )
    rows = data[: msg.step * msg.height].reshape(msg.height, msg.step)[:, :row_bytes]
    depth = np.ascontiguousarray(rows).view(dtype).astype(np.float32)
    return depth * np.float32(unit_m)


def camera_from_msg(msg: Any) -> CalibratedCamera:
    """The camera of a sensor_msgs/CameraInfo.

    Raises:
        ValueError: if it is not calibrated, or of a part of the picture.
    """
    if msg.binning_x > 1 or msg.binning_y > 1 or msg.roi.width or msg.roi.height:
        raise ValueError("camera_info of binned pictures or of a region is not supported: publish that of the picture")
    return CalibratedCamera(
        size_wh=(msg.width, msg.height),
        matrix=np.array(msg.k, np.float64).reshape(3, 3),
        distortion_model=msg.distortion_model,
        distortion=tuple(map(float, msg.d)),
    )
