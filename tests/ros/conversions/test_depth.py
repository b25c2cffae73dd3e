"""Depth images and calibrations become arrays, or one line that says why not."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest

from cs3_ros.conversions.depth import camera_from_msg, depth_from_msg

pytestmark = pytest.mark.ros


def depth_image(pixels: np.ndarray, encoding: str, **changes) -> Image:
    height, width = pixels.shape
    fields = {"height": height, "width": width, "encoding": encoding, "step": pixels.strides[0], **changes}
    return Image(data=pixels.tobytes(), **fields)


def test_millimetres_become_metres():
    depth = depth_from_msg(depth_image(np.array([[0, 1500], [65535, 1]], "<u2"), "16UC1"))
    np.testing.assert_allclose(depth, [[0, 1.5], [65.535, 0.001]])


def test_metres_stay_and_nan_with_them():
    depth = depth_from_msg(depth_image(np.array([[0.5, np.nan]], "<f4"), "32FC1"))
    np.testing.assert_array_equal(depth, np.array([[0.5, np.nan]], np.float32))


def test_big_endian_and_padded_rows_are_read():
    pixels = np.array([[1000, 2000, 9], [3000, 4000, 9]], ">u2")
    depth = depth_from_msg(depth_image(pixels, "16UC1", width=2, is_bigendian=1))
    np.testing.assert_allclose(depth, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"encoding": "rgb8"}, "a depth image must be 16UC1 .* or 32FC1 .*, got 'rgb8'"),
        ({"step": 1}, "cannot have rows of 1 bytes and 8 bytes in all"),
        ({"height": 3}, "cannot have rows of 4 bytes and 8 bytes in all"),
    ],
)
def test_what_is_no_depth_image_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        depth_from_msg(depth_image(np.zeros((2, 2), "<u2"), **{"encoding": "16UC1", **changes}))


def calibration(**changes) -> CameraInfo:
    fields = {"width": 64, "height": 48, "k": [50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0]}
    return CameraInfo(**{**fields, "distortion_model": "plumb_bob", "d": [0.1, 0.0, 0.0, 0.0, 0.0], **changes})


def test_a_calibration_becomes_a_camera():
    camera = camera_from_msg(calibration())
    assert (camera.size_wh, camera.distortion_model) == ((64, 48), "plumb_bob")
    np.testing.assert_allclose(camera.rays([(32, 24)]), [[0, 0, 1]], atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"k": [0.0] * 9}, "the camera is not calibrated"),
        ({"binning_x": 2}, "binned pictures"),
        ({"roi": RegionOfInterest(width=10, height=10)}, "of a region"),
        ({"distortion_model": "unheard"}, "distortion model must be one of"),
    ],
)
def test_what_is_no_calibration_of_the_whole_picture_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        camera_from_msg(calibration(**changes))
