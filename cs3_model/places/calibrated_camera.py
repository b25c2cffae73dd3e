"""From pixels to rays: the pinhole camera and the lens distortions of sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.places.rigid_transform import Points

_NUM_COEFFICIENTS = {"": (0,), "plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8, 12, 14), "equidistant": (0, 4)}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CalibratedCamera:
    """The intrinsics of a camera. Its optical frame: x right, y down, z forward; pixel centres at whole numbers.

    Raises:
        ValueError: if it is not calibrated or the numbers make no sense; says which.
    """

    size_wh: tuple[int, int]
    """Pixels."""
    matrix: npt.NDArray[np.float64]
    """K: [3, 3], with focal lengths and principal point in pixels."""
    distortion_model: str = "plumb_bob"
    """plumb_bob, rational_polynomial, equidistant, or empty for none."""
    distortion: tuple[float, ...] = ()
    """Coefficients of the model; none for none."""

    def __post_init__(self) -> None:
        if self.distortion_model not in _NUM_COEFFICIENTS:
            known = ", ".join(filter(None, _NUM_COEFFICIENTS))
            raise ValueError(f"the distortion model must be one of {known}, got {self.distortion_model!r}")
        if (
            len(self.distortion) not in _NUM_COEFFICIENTS[self.distortion_model]
            or not np.isfinite(self.distortion).all()
        ):
            raise ValueError(f"{self.distortion_model} cannot have the coefficients {list(self.distortion)}")
        if self.matrix.shape != (3, 3) or not np.isfinite(self.matrix).all():
            raise ValueError("the camera matrix must be 3 by 3 finite numbers")
        if self.matrix[0, 0] <= 0 or self.matrix[1, 1] <= 0:
            raise ValueError("the camera is not calibrated: its focal length is 0; see camera_calibration")

    def rays(self, pixels_xy: npt.ArrayLike) -> Points:
        """Directions [K, 3], with z = 1, in which the pixels [K, 2] look."""
        pixels = np.asarray(pixels_xy, np.float64).reshape(-1, 1, 2)
        if not pixels.size:
            return np.zeros((0, 3))
        coefficients = np.array(self.distortion, np.float64)
        if self.distortion_model == "equidistant":
            flat = cv2.fisheye.undistortPoints(pixels, self.matrix, coefficients if coefficients.size else np.zeros(4))
        else:
            flat = cv2.undistortPoints(pixels, self.matrix, coefficients if coefficients.size else np.zeros(4))
        return np.concatenate([flat.reshape(-1, 2), np.ones((len(pixels), 1))], axis=1)
