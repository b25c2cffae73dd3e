"""Parts whose answers can be worked out by hand: the pipeline around them is real."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cs3_model.moment.selection import LearnedSelection
from cs3_model.pipeline import CollisionPipeline, PipelineConfig
from cs3_model.types import (
    AudioWindow,
    BoolMask,
    Float32Array,
    Frame,
    HandObjects,
    HeldObject,
    TouchedObject,
    UInt8Image,
)


class BrightestSpot:
    """Points at the brightest pixel of the image; a quarter of the image's resolution."""

    name = "brightest spot"
    trained = True
    masker = None

    def embed_image(self, image: UInt8Image) -> Float32Array:
        height, width = (max(1, side // 4) for side in image.shape[:2])
        return image[: 4 * height : 4, : 4 * width : 4].astype(np.float32).mean(axis=2)

    def embed_audio(self, window: AudioWindow) -> float:
        return 1.0 + float(np.abs(window.samples).max())

    def decode(self, image_features: Float32Array, audio_embedding: float) -> Float32Array:
        return (image_features / 64 - 2) * np.float32(audio_embedding)


class FixedHands:
    """Reports the same boxes for every image."""

    name = "fixed hands"
    trained = True
    names_touched = True

    def __init__(self, left: tuple | None, right: tuple | None, touched: tuple | None = None) -> None:
        second = TouchedObject(box_xyxy=touched, score=0.7) if touched else None
        self.hands = HandObjects(
            left=HeldObject(box_xyxy=left, score=0.8) if left else None,
            right=HeldObject(box_xyxy=right, score=0.9, touched=second) if right else None,
        )

    def detect(self, image: UInt8Image) -> HandObjects:
        return self.hands


class FilledBoxes:
    """The mask of a box is the box, that of a point a square of ten pixels around it."""

    name = "filled boxes"
    trained = True

    def embed(self, image: UInt8Image) -> tuple[int, int]:
        return image.shape[:2]

    def segment(self, embedding: tuple[int, int], boxes_xyxy: Float32Array) -> tuple[BoolMask, Float32Array]:
        masks = np.zeros((len(boxes_xyxy), *embedding), bool)
        for mask, (x_min, y_min, x_max, y_max) in zip(masks, np.rint(boxes_xyxy).astype(int), strict=True):
            mask[y_min:y_max, x_min:x_max] = True
        return masks, np.ones(len(boxes_xyxy), np.float32)

    def segment_points(self, embedding: tuple[int, int], points_xy: Float32Array) -> tuple[BoolMask, Float32Array]:
        return self.segment(embedding, np.concatenate([points_xy - 5, points_xy + 5], 1))


@pytest.fixture
def make_pipeline() -> Callable[..., CollisionPipeline]:
    """Returns a function that builds a pipeline of hand-made parts."""

    def make(
        left: tuple | None = None,
        right: tuple | None = None,
        config: PipelineConfig | None = None,
        touched: tuple | None = None,
        selection: LearnedSelection | None = None,
    ) -> CollisionPipeline:
        return CollisionPipeline(
            audio_visual=BrightestSpot(),
            hands=FixedHands(left, right, touched),
            boxes=FilledBoxes(),
            config=config,
            selection=selection,
        )

    return make


@pytest.fixture
def spot_frame() -> Frame:
    """A dark frame, 200 x 400, with a bright square of 40 pixels at x = 280, y = 80."""
    image = np.full((200, 400, 3), 20, np.uint8)
    image[80:120, 280:320] = 255
    return Frame(image=image, stamp_ns=123, frame_id="camera")


@pytest.fixture
def window() -> AudioWindow:
    """Two seconds of faint noise."""
    return AudioWindow(samples=np.random.default_rng(0).uniform(-0.1, 0.1, 32_000).astype(np.float32))
