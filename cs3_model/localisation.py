"""Where the sound comes from: peak, refinement crop, box and mask of an audio-visual map (paper, section 4.1).

The paper crops "around the peak" and boxes "around the peak" without numbers; each number of that is an option. A map
covers the whole frame at the network's resolution, whatever the aspect ratio: map pixel (column x, row y) of a [h, w]
map stands for the rectangle [x, x + 1] * W / w by [y, y + 1] * H / h of a frame of H x W pixels. Coordinates that come
out are pixels of the frame.

In order: `score_map`, `peak_xy`, `crop_around`, then (the network having seen the crop) `place_crop`, `score_map`
again, and `box_around_peak`, `peak_mask`, or `peaks_xy` and `share_of_map`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import SupportsFloat

import cv2
import numpy as np

from cs3_model.types import BoolMask, BoxXYXY, Float32Array

CropXYXY = tuple[int, int, int, int]
"""Whole pixels of the frame, (x_min, y_min, x_max, y_max), maximum edges exclusive."""

_PEAK_DISTANCE = 0.04
"""Two peaks are at least this far apart along x or y, as a fraction of the map's longer side."""


class Binarisation(str, enum.Enum):
    """Which pixels of the map belong to what is heard; the paper does not say how it cuts the map at test time."""

    MINMAX = "minmax"
    """Those that score at least `LocalisationConfig.threshold` of the map stretched to [0, 1]."""
    MASKER = "masker"
    """Those whose logit the trained masker takes for foreground, as in training; the peak in any case. Needs trained audio
    weights that hold their masker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Masker:
    """Where training cut the logits x: at scale * x + bias = 0 (paper, section 4.1)."""

    scale: float
    bias: float

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"the scale of a masker must be positive, got {self.scale}")

    @staticmethod
    def of_weights(tensors: Mapping[str, SupportsFloat]) -> Masker | None:
        """The masker in a file of trained audio weights; None in files from before it was exported.

        Args:
            tensors: By name, scalars `masker.scale` and `masker.bias` among them.

        Raises:
            ValueError: if the scale is not positive.
        """
        if not {"masker.scale", "masker.bias"} <= tensors.keys():
            return None
        return Masker(scale=float(tensors["masker.scale"]), bias=float(tensors["masker.bias"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalisationConfig:
    """How a map becomes a crop, a box and a mask.

    Raises:
        ValueError: if a field is out of its range.
    """

    smoothing: float = 0.02
    """Standard deviation of the Gaussian that smooths the logits, as a fraction of the map's longer side; 0 for none."""
    crop_side: float = 0.5
    """Side of the square refinement crop, as a fraction of the frame's shorter side."""
    binarisation: Binarisation = Binarisation.MINMAX
    """What pixels belong to the box and to the mask."""
    threshold: float = 0.5
    """Least score, in (0, 1], of those pixels; of `minmax`."""
    box_padding: float = 0.05
    """Margin added on each side of the box, as a fraction of its side there."""
    min_box_side_px: float = 16.0
    """Smaller boxes are widened to this side, in pixels of the frame."""

    def __post_init__(self) -> None:
        if not self.smoothing >= 0:
            raise ValueError(f"LocalisationConfig.smoothing must be >= 0, got {self.smoothing}")
        if not 0 < self.crop_side <= 1:
            raise ValueError(f"LocalisationConfig.crop_side must be in (0, 1], got {self.crop_side}")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"LocalisationConfig.threshold must be in (0, 1], got {self.threshold}")
        if not self.box_padding >= 0:
            raise ValueError(f"LocalisationConfig.box_padding must be >= 0, got {self.box_padding}")
        if not self.min_box_side_px > 0:
            raise ValueError(f"LocalisationConfig.min_box_side_px must be > 0, got {self.min_box_side_px}")


def score_map(logits: Float32Array, config: LocalisationConfig) -> Float32Array:
    """Smooths logits and stretches them to [0, 1].

    Smoothed before, not after, so that the peak itself always scores 1. A map of equal values scores 1 everywhere: no
    place is worse than the peak.

    Args:
        logits: float32 [h, w], finite.

    Returns:
        float32 [h, w] in [0, 1].
    """
    logits = _smoothed(logits, config)
    low, high = float(logits.min()), float(logits.max())
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # equal but for the rounding of the blur
        return np.ones_like(logits)
    return (logits - low) / (high - low)


def at_masker(logits: Float32Array, config: LocalisationConfig, masker: Masker | None) -> LocalisationConfig:
    """The configuration whose threshold cuts the scores of this map where its `binarisation` says.

    Args:
        logits: float32 [h, w], those of `score_map`.
        config: Returned as it is where its threshold is not the masker's.
        masker: Of the trained weights.

    Raises:
        ValueError: if the masker is wanted and there is none.
    """
    if config.binarisation is Binarisation.MINMAX:
        return config
    if masker is None:
        raise ValueError(
            "localisation.binarisation masker needs trained audio weights that hold masker.scale and .bias"
        )
    smoothed = _smoothed(logits, config)
    low, high = float(smoothed.min()), float(smoothed.max())
    share = (-masker.bias / masker.scale - low) / (high - low) if high > low else 1.0
    return replace(config, threshold=min(max(share, 1e-6), 1.0))


def _smoothed(logits: Float32Array, config: LocalisationConfig) -> Float32Array:
    if config.smoothing <= 0:
        return logits
    sigma = config.smoothing * max(logits.shape)
    return cv2.GaussianBlur(logits, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)


def peak_xy(scores: Float32Array, frame_hw: tuple[int, int]) -> tuple[float, float]:
    """Returns the frame's point (x, y) at the centre of the best-scoring map pixel; of equals, the topmost."""
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    scale_x, scale_y = _scale_xy(scores, frame_hw)
    return (float(column) + 0.5) * scale_x, (float(row) + 0.5) * scale_y


def peaks_xy(scores: Float32Array, frame_hw: tuple[int, int], count: int) -> Float32Array:
    """Returns the points (x, y) of the `count` highest local maxima, or of all if they are fewer, highest first.

    Returns:
        float32 [K, 2] with 1 <= K <= `count`, pixels of the frame; the first one is `peak_xy`.
    """
    side = 2 * round(_PEAK_DISTANCE * max(scores.shape)) + 1
    highest_near = cv2.dilate(scores, np.ones((side, side), np.uint8))
    rows, columns = np.nonzero(scores >= highest_near)
    best = np.argsort(-scores[rows, columns], kind="stable")[:count]
    centres_xy = (np.stack([columns[best], rows[best]], 1) + 0.5).astype(np.float32)
    return centres_xy * np.array(_scale_xy(scores, frame_hw), np.float32)


def share_of_map(logits: Float32Array, mask: BoolMask) -> float:
    """How much of the map lies on an object: the sum of the map's spatial softmax under a mask, in [0, 1].

    Args:
        logits: float32 [h, w].
        mask: bool [H, W] of the frame.
    """
    height, width = logits.shape
    covered = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    odds = np.exp(logits - logits.max())
    return float((odds * covered).sum() / odds.sum())


def crop_around(point_xy: tuple[float, float], frame_hw: tuple[int, int], config: LocalisationConfig) -> CropXYXY:
    """Returns the square of whole pixels centred on a point, or shifted just so far that it lies inside the frame."""
    height, width = frame_hw
    side = max(1, round(config.crop_side * min(height, width)))
    x_min = min(max(round(point_xy[0] - side / 2), 0), width - side)
    y_min = min(max(round(point_xy[1] - side / 2), 0), height - side)
    return x_min, y_min, x_min + side, y_min + side


def place_crop(
    crop_logits: Float32Array, crop_xyxy: CropXYXY, frame_hw: tuple[int, int], map_hw: tuple[int, int]
) -> Float32Array:
    """Puts the logits of a crop in their place in a map of the whole frame (M'_AV; section 4.1, test time).

    The crop decides alone: outside it the map has the crop's lowest value, so that peak, box and threshold are those of
    the crop, however high the first map was elsewhere. The crop is resampled to the map's pixels whose centres it
    covers, at least one; its edges are exact to half a map pixel.

    Args:
        crop_logits: float32, any size.
        crop_xyxy: where the crop was taken.
        frame_hw: height and width of the frame, pixels.
        map_hw: height and width of the map.

    Returns:
        A new map, float32 [h, w].
    """
    scale_x, scale_y = frame_hw[1] / map_hw[1], frame_hw[0] / map_hw[0]
    x_min, x_max = _covered(crop_xyxy[0] / scale_x, crop_xyxy[2] / scale_x, map_hw[1])
    y_min, y_max = _covered(crop_xyxy[1] / scale_y, crop_xyxy[3] / scale_y, map_hw[0])
    inside = cv2.resize(crop_logits, (x_max - x_min, y_max - y_min), interpolation=cv2.INTER_AREA)
    lowest, highest = float(inside.min()), float(inside.max())
    # Of a crop that is the same everywhere, any place may be the peak, but none outside it.
    outside = lowest if highest > lowest else lowest - 1
    placed = np.full(map_hw, outside, np.float32)
    placed[y_min:y_max, x_min:x_max] = inside
    return placed


def box_around_peak(scores: Float32Array, frame_hw: tuple[int, int], config: LocalisationConfig) -> BoxXYXY:
    """Boxes the connected region (of 8 neighbours) that holds the peak and scores at least the threshold.

    Then pads the box, widens it to its least side and cuts it at the frame.
    """
    height, width = frame_hw
    scale_x, scale_y = _scale_xy(scores, frame_hw)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats((scores >= config.threshold).view(np.uint8))
    column, row, columns, rows, _ = statistics[int(labels.flat[int(scores.argmax())])]
    x_min, x_max = _widen(column * scale_x, (column + columns) * scale_x, width, config)
    y_min, y_max = _widen(row * scale_y, (row + rows) * scale_y, height, config)
    return x_min, y_min, x_max, y_max


def peak_mask(scores: Float32Array, frame_hw: tuple[int, int], config: LocalisationConfig) -> BoolMask:
    """Returns all of the frame that scores at least the threshold, bool [H, W]: the mask where no SAM refines it."""
    height, width = frame_hw
    return cv2.resize(scores, (width, height), interpolation=cv2.INTER_LINEAR) >= config.threshold


def _scale_xy(values: Float32Array, frame_hw: tuple[int, int]) -> tuple[float, float]:
    return frame_hw[1] / values.shape[1], frame_hw[0] / values.shape[0]


def _covered(low: float, high: float, size: int) -> tuple[int, int]:
    """The map pixels whose centres lie in [low, high), or else the one around its middle."""
    first, end = int(np.ceil(low - 0.5)), int(np.ceil(high - 0.5))
    if first >= end:
        first = min(int((low + high) / 2), size - 1)
        end = first + 1
    return first, end


def _widen(low: float, high: float, size: int, config: LocalisationConfig) -> tuple[float, float]:
    """Pads an interval, widens it to the least side, then shifts and cuts it to [0, size]."""
    padding = config.box_padding * (high - low)
    low, high = max(0.0, low - padding), min(float(size), high + padding)
    missing = max(0.0, config.min_box_side_px - (high - low))
    if missing:
        low = min(max(0.0, low - missing / 2), max(0.0, size - config.min_box_side_px))
        high = min(float(size), low + config.min_box_side_px)
    return float(low), float(high)
