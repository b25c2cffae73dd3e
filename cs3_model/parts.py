"""The three parts that a preset plugs into `cs3_model.pipeline.CollisionPipeline`, as protocols.

The feature types are opaque to the pipeline: it only hands back what a part gave it. A part may keep them on its
device. Parts are called from one thread. Each part says whether its weights mean anything through `trained`.
"""

from __future__ import annotations

from typing import Any, Protocol

from cs3_model.localisation import Masker
from cs3_model.types import AudioWindow, BoolMask, Float32Array, HandObjects, UInt8Image


class AudioVisualSegmenter(Protocol):
    """Audio-conditioned segmentation (paper, section 4.1): BEATs, audio token and CLIPSeg in `foundation`."""

    name: str
    """Identity of networks and weights, for messages and reports."""
    trained: bool
    """False for random weights, whose output means nothing."""
    masker: Masker | None
    """Where training cut the logits, if the weights say so."""

    def embed_image(self, image: UInt8Image) -> Any:
        """Computes visual features of an RGB uint8 image [H, W, 3], any size, once per image."""

    def embed_audio(self, window: AudioWindow) -> Any:
        """Computes the conditioning vector A_C of one audio window."""

    def decode(self, image_features: Any, audio_embedding: Any) -> Float32Array:
        """Returns the logits of M_AV, float32 [h, w], at the network's resolution, covering the whole image."""


class HandObjectDetector(Protocol):
    """Finds the objects in the wearer's hands (Hands23 in `foundation`; paper, section 4.2)."""

    name: str
    trained: bool
    names_touched: bool
    """Whether it can say what a held object touches (`HeldObject.touched`), as the strategy `touch` needs."""

    def detect(self, image: UInt8Image) -> HandObjects:
        """Detects in an RGB uint8 image [H, W, 3]; boxes are in its pixels, clipped to it."""


class BoxSegmenter(Protocol):
    """Turns boxes and points into masks (SAM2 in `foundation`)."""

    name: str
    trained: bool

    def embed(self, image: UInt8Image) -> Any:
        """Computes the embedding of an RGB uint8 image [H, W, 3], once per image."""

    def segment(self, embedding: Any, boxes_xyxy: Float32Array) -> tuple[BoolMask, Float32Array]:
        """Segments N >= 1 boxes, float32 [N, 4]. Returns masks, bool [N, H, W], and scores in [0, 1], float32 [N]."""

    def segment_points(self, embedding: Any, points_xy: Float32Array) -> tuple[BoolMask, Float32Array]:
        """Segments the objects at N >= 1 points, float32 [N, 2]. Returns what `segment` does."""
