"""Following by optical flow and a box segmenter: flow carries each mask to the next image, the segmenter corrects it.

Shapes: N objects, h w pixels of the reduced image, H W pixels of the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cs3_model.geometry import intersection_over_union, mask_to_box_xyxy
from cs3_model.parts import BoxSegmenter
from cs3_model.tracking.tracker import FollowedObject
from cs3_model.types import BoolMask, Float32Array, UInt8Image

_FLOW_WIDTH_PX = 320
"""Images are reduced to this width for the flow."""
_LEAST_AGREEMENT = 0.7
"""IoU with the mask that flow carried, from which the segmenter's mask takes its place."""
_LEAST_SCORE = 0.3
"""Likeness in colour to the object at first, below which it is lost."""
_MAX_VECTORS = 500
"""As many vectors of the flow inside a mask take part in the fit of its motion."""
_INLIER_PX = 1.0
"""A vector so near to the motion is explained by it."""
_HUE_BINS, _SATURATION_BINS, _VALUE_BINS = 12, 4, 4


class FlowTracker:
    """Implements `cs3_model.tracking.tracker.Tracker`.

    Args:
        boxes: Corrects masks; None leaves everything to the flow.
    """

    def __init__(self, boxes: BoxSegmenter | None) -> None:
        self.name = f"DIS flow + {boxes.name}" if boxes else "DIS flow"
        self.trained = boxes is None or boxes.trained
        self._boxes = boxes

    def start(self, image: UInt8Image, masks: Sequence[BoolMask]) -> FlowTrack:
        """Takes up the objects."""
        return FlowTrack(self._boxes, image, masks)


class FlowTrack:
    """Implements `cs3_model.tracking.tracker.Track`; remembers one image, and of each object mask and colours.

    Args:
        boxes: See `FlowTracker`.
        image: RGB uint8 [H, W, 3].
        masks: bool [H, W] each, not empty.
    """

    def __init__(self, boxes: BoxSegmenter | None, image: UInt8Image, masks: Sequence[BoolMask]) -> None:
        self._boxes = boxes
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey = _reduced(image)
        self._masks = [np.asarray(mask) for mask in masks]
        self._colours = [_colours(image, mask) for mask in masks]

    def step(self, image: UInt8Image) -> tuple[FollowedObject, ...]:
        """Finds the objects in the next image."""
        grey = _reduced(image)
        flow_hw2 = self._flow.calc(self._grey, grey, None)  # type: ignore[call-overload]  # None: a new array
        self._grey = grey
        self._masks = self._corrected(image, [_carried(mask, flow_hw2) for mask in self._masks])
        return tuple(
            self._judged(image, mask, colours) for mask, colours in zip(self._masks, self._colours, strict=True)
        )

    def _corrected(self, image: UInt8Image, carried: list[BoolMask]) -> list[BoolMask]:
        """The segmenter's masks where they agree with what the flow carried."""
        seen = [number for number, mask in enumerate(carried) if mask.any()]
        if self._boxes is None or not seen:
            return carried
        boxes = np.array([mask_to_box_xyxy(carried[number]) for number in seen], np.float32)
        segmented, _ = self._boxes.segment(self._boxes.embed(image), boxes)
        masks = list(carried)
        for number, mask in zip(seen, segmented, strict=True):
            if intersection_over_union(mask, carried[number]) >= _LEAST_AGREEMENT:
                masks[number] = mask
        return masks

    def _judged(self, image: UInt8Image, mask: BoolMask, colours: Float32Array) -> FollowedObject:
        """Whether what the mask shows still looks like the object. A lost one is carried on: it may come back."""
        score = _likeness(colours, _colours(image, mask)) if mask.any() else 0.0
        if score < _LEAST_SCORE:
            return FollowedObject.lost((mask.shape[0], mask.shape[1]), score)
        return FollowedObject.seen(mask, score)


def _reduced(image: UInt8Image) -> UInt8Image:
    height, width = image.shape[:2]
    size_wh = (_FLOW_WIDTH_PX, max(16, round(height * _FLOW_WIDTH_PX / width)))
    grey = cv2.cvtColor(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.uint8)


def _carried(mask: BoolMask, flow_hw2: Float32Array) -> BoolMask:
    """A mask [H, W] of the last image, moved by the one affine motion that explains most of the flow inside it.

    Objects of a collision are rigid, or nearly. Pixels that are moved one by one fray at the edges, where flow is a
    mixture of the object's and the ground's.
    """
    height, width = mask.shape
    scale = np.array([width / flow_hw2.shape[1], height / flow_hw2.shape[0]], np.float32)
    ys, xs = np.nonzero(cv2.resize(mask.astype(np.uint8), flow_hw2.shape[1::-1], interpolation=cv2.INTER_NEAREST))
    if not len(xs):
        return np.zeros_like(mask)
    chosen = np.linspace(0, len(xs) - 1, min(len(xs), _MAX_VECTORS)).astype(int)
    start = np.stack([xs[chosen], ys[chosen]], axis=1).astype(np.float32)
    moves = flow_hw2[ys[chosen], xs[chosen]]
    matrix, _ = cv2.estimateAffine2D(start * scale, (start + moves) * scale, ransacReprojThreshold=_INLIER_PX)
    if matrix is None:  # too few vectors
        matrix = np.column_stack([np.eye(2), np.median(moves, axis=0) * scale])
    moved = cv2.warpAffine(mask.astype(np.float32), matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(moved > 0.5)


def _colours(image: UInt8Image, mask: BoolMask) -> Float32Array:
    """Shares of hue, saturation and value inside a mask."""
    hsv = cv2.cvtColor(image[mask][None], cv2.COLOR_RGB2HSV)
    bins = [_HUE_BINS, _SATURATION_BINS, _VALUE_BINS]
    counts = cv2.calcHist([hsv], [0, 1, 2], None, bins, [0, 180, 0, 256, 0, 256]).ravel()
    return np.asarray(counts / counts.sum(), np.float32)


def _likeness(one: Float32Array, other: Float32Array) -> float:
    """Bhattacharyya coefficient of two histograms, 0 to 1."""
    return float(np.minimum(1.0, np.sqrt(one * other).sum()))
