"""Pixels become rays, whatever the lens does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cs3_model.places.calibrated_camera import CalibratedCamera

MATRIX = np.array([[200.0, 0, 100], [0, 250.0, 50], [0, 0, 1]])
POINTS = np.array([[0.1, -0.2, 1.0], [-0.3, 0.1, 1.5], [0.0, 0.0, 2.0]])


def camera(model: str = "plumb_bob", coefficients: tuple[float, ...] = ()) -> CalibratedCamera:
    return CalibratedCamera(size_wh=(201, 101), matrix=MATRIX, distortion_model=model, distortion=coefficients)


def test_without_distortion_a_ray_is_a_pixel_from_the_centre_over_the_focal_length():
    np.testing.assert_allclose(camera().rays([(100, 50), (300, 0)]), [[0, 0, 1], [1, -0.2, 1]], atol=1e-9)


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [
        ("plumb_bob", (-0.3, 0.1, 0.001, -0.002, 0.01)),
        ("plumb_bob", (-0.3, 0.1, 0.001, -0.002)),
        ("rational_polynomial", (0.2, -0.1, 0.001, 0.001, 0.02, 0.3, -0.05, 0.01)),
    ],
)
def test_rays_lead_back_to_the_points_whose_distorted_pixels_they_come_from(model, coefficients):
    pixels, _ = cv2.projectPoints(POINTS, np.zeros(3), np.zeros(3), MATRIX, np.array(coefficients))
    np.testing.assert_allclose(camera(model, coefficients).rays(pixels), POINTS / POINTS[:, 2:], atol=1e-4)


def test_a_fisheye_s_pixel_lies_at_its_angle():
    """Equidistant without coefficients: the distance from the centre is the focal length times the angle."""
    angle = np.pi / 4
    ray = camera("equidistant", (0.0, 0.0, 0.0, 0.0)).rays([(100 + 200 * angle, 50)])
    np.testing.assert_allclose(ray, [[1.0, 0.0, 1.0]], atol=1e-6)


def test_a_fisheye_with_coefficients_leads_back_too():
    coefficients = (0.05, -0.01, 0.002, -0.001)
    pixels, _ = cv2.fisheye.projectPoints(POINTS[:, None], np.zeros(3), np.zeros(3), MATRIX, np.array(coefficients))
    np.testing.assert_allclose(camera("equidistant", coefficients).rays(pixels), POINTS / POINTS[:, 2:], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"matrix": np.zeros((3, 3))}, "the camera is not calibrated"),
        ({"matrix": np.full((3, 3), np.nan)}, "3 by 3 finite numbers"),
        ({"distortion_model": "barrel"}, "distortion model must be one of plumb_bob"),
        ({"distortion": (1.0,)}, r"plumb_bob cannot have the coefficients \[1.0\]"),
        ({"distortion": (np.nan,) * 5}, "plumb_bob cannot have the coefficients"),
    ],
)
def test_what_is_no_calibration_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        CalibratedCamera(**{"size_wh": (201, 101), "matrix": MATRIX, **changes})
