"""What moved in a picture by itself, between two frames around an onset: optical flow less the camera's part.

Sound knows what an object is made of, motion knows where it is. The flow of a head-mounted camera is mostly the head's:
one affine motion of the whole picture, found by RANSAC, explains it; what that leaves over is motion of objects and
hands. Where the two frames cannot be compared (a cut, a frozen image, another size), motion is unknown rather than zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.types import Float32Array, UInt8Image

MOTION_S = 0.09
"""How far from the frame of the onset the frames before and after it lie that tell what moved, seconds: in the middle of
the times between the frames that the selection learned from."""
_GRID_PX = 8
"""Every so many pixels a vector takes part in the fit of the camera's motion."""
_CONTRAST_FLOOR = 4.0
"""Grey levels added to the local contrast, so that the noise of even surfaces is not taken for texture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionConfig:
    """How motion is measured.

    Raises:
        ValueError: if a field is out of its range.
    """

    width_px: int = 256
    """Width to which frames are reduced, pixels: what the flow costs grows with its square."""
    inlier_px: float = 0.35
    """A vector at most so far from the camera's motion is explained by it, pixels of the reduced frame."""
    least_similarity: float = 0.5
    """Correlation between a frame and the other, warped by the flow, below which the two do not show one scene."""

    def __post_init__(self) -> None:
        if not 32 <= self.width_px <= 4096:
            raise ValueError(f"MotionConfig.width_px must be in [32, 4096], got {self.width_px}")
        if not self.inlier_px > 0:
            raise ValueError(f"MotionConfig.inlier_px must be positive, got {self.inlier_px}")
        if not 0 <= self.least_similarity <= 1:
            raise ValueError(f"MotionConfig.least_similarity must be in [0, 1], got {self.least_similarity}")

    def reduced_hw(self, frame_hw: tuple[int, int]) -> tuple[int, int]:
        """Height and width to which a frame is reduced."""
        return max(16, round(frame_hw[0] * self.width_px / frame_hw[1])), self.width_px


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Motion:
    """How everything moves by itself, from the first frame towards the second."""

    velocity: Float32Array
    """Float32 [h, w, 2], (x, y) in picture widths per second, at the reduced size; the time runs as that of the world,
    whichever of the two frames is the later one."""
    explained: float
    """Share of the picture in [0, 1] that the camera's motion alone explains."""
    similarity: float
    """Correlation in [-1, 1] between the first frame and the second, warped by the flow."""

    @property
    def speed(self) -> Float32Array:
        """Float32 [h, w], picture widths per second."""
        return np.hypot(self.velocity[..., 0], self.velocity[..., 1])


class UnknownMotionError(ValueError):
    """Two frames that do not tell what moved; one line says why."""


class MotionEstimator:
    """Measures motion between frames. Keeps its workspace, so call it from one thread.

    Args:
        config: Size of the frames and thresholds.
    """

    def __init__(self, config: MotionConfig | None = None) -> None:
        self.config = config or MotionConfig()
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def reduced(self, image: UInt8Image) -> Float32Array:
        """The luminance of an RGB image [H, W, 3] at the reduced size, float32 [h, w] in [0, 255].

        Once per frame: a frame may take part in several measurements.
        """
        height, width = self.config.reduced_hw((image.shape[0], image.shape[1]))
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)

    def between(self, first: Float32Array, second: Float32Array, seconds: float) -> Motion:
        """Measures the motion at the place of everything in the first frame.

        Args:
            first: of `reduced`.
            second: of `reduced`.
            seconds: From the first to the second; negative if the second is the earlier one.

        Raises:
            UnknownMotionError: if the two cannot be compared.
        """
        if first.shape != second.shape:
            raise UnknownMotionError(f"the frames differ in size: {first.shape[::-1]} and {second.shape[::-1]}")
        if seconds == 0.0:
            raise UnknownMotionError("the frames have one stamp")
        if np.array_equal(first, second):
            raise UnknownMotionError("the frames are the same: the image is frozen")
        one, other = _flattened(first), _flattened(second)
        flow = self._flow.calc(_as_bytes(one), _as_bytes(other), None)  # type: ignore[call-overload]  # None: a new array
        similarity = _correlation(one, _warped(other, flow))
        if similarity < self.config.least_similarity:
            raise UnknownMotionError(f"the frames show different scenes: their correlation is {similarity:.2f}")
        camera, explained = camera_motion(flow, self.config.inlier_px)
        scale = 1.0 / (seconds * self.config.width_px)
        return Motion(velocity=((flow - camera) * scale).astype(np.float32), explained=explained, similarity=similarity)


def camera_motion(flow: Float32Array, inlier_px: float) -> tuple[Float32Array, float]:
    """The one affine motion that explains most of a flow, and the share of the flow that it explains.

    Args:
        flow: Float32 [h, w, 2], (x, y) in pixels.
        inlier_px: What lies nearer is explained, pixels.

    Returns:
        The motion at every pixel, float32 [h, w, 2]; the median of the flow, explaining nothing, where no affine
        motion fits.
    """
    height, width = flow.shape[:2]
    ys, xs = np.mgrid[_GRID_PX // 2 : height : _GRID_PX, _GRID_PX // 2 : width : _GRID_PX]
    start = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float32)
    end = start + flow[ys.ravel(), xs.ravel()]
    matrix, inliers = cv2.estimateAffine2D(start, end, ransacReprojThreshold=inlier_px, maxIters=500)
    if matrix is None:
        return np.broadcast_to(np.median(flow.reshape(-1, 2), axis=0), flow.shape).astype(np.float32), 0.0
    all_y, all_x = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = [row[0] * all_x + row[1] * all_y + row[2] for row in matrix]
    return np.stack([moved[0] - all_x, moved[1] - all_y], axis=-1).astype(np.float32), float(inliers.mean())


def _flattened(grey: Float32Array) -> Float32Array:
    """Less its local mean, in units of its local contrast: light that flickers or fades changes nothing."""
    side = 2 * (grey.shape[1] // 16) + 1
    rest = grey - cv2.blur(grey, (side, side))
    variance = np.maximum(cv2.blur(rest * rest, (side, side)), 0)  # running sums end a little below 0 where all is flat
    contrast = np.sqrt(variance) + _CONTRAST_FLOOR
    return np.asarray(rest / contrast, np.float32)


def _as_bytes(flattened: Float32Array) -> npt.NDArray[np.uint8]:
    return np.clip(flattened * 42.0 + 128.0, 0, 255).astype(np.uint8)


def _warped(image: Float32Array, flow: Float32Array) -> Float32Array:
    ys, xs = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    x, y = xs + flow[..., 0], ys + flow[..., 1]
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _correlation(one: Float32Array, other: Float32Array) -> float:
    norm = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / norm if norm > 0 else 1.0
