"""Where collisions are in the image, on average: what a network can score that looks at neither image nor sound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.metrics import score_masks
from cs3_model.types import BoolMask, Candidate, CollisionResult, Float32Array, Reason, Role, Verdict
from training.data.samples import Sample
from training.evaluation.row import LoadedSample

_SIDE = 64
_LEVELS = np.arange(1, 20) / 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PriorMap:
    """The share of training samples that collide at each place, and the level that cuts a mask out of it."""

    share: Float32Array
    """Shape [64, 64], in [0, 1] and 1 at the peak, covering the image."""
    level: float
    """The mask is where the share is at least this."""

    def predict(self, scene: LoadedSample) -> CollisionResult:
        """The same mask for every scene."""
        height, width = scene.frame.size_hw
        mask = cv2.resize(self.share, (width, height), interpolation=cv2.INTER_LINEAR) >= self.level
        candidate = Candidate(
            role=Role.AUDIO_VISUAL, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=1.0, reason="prior"
        )
        return CollisionResult(
            verdict=Verdict.ONE_OBJECT, reason=Reason.SELECTED, detail="the prior map", masks=(candidate,)
        )


def fit_prior_map(samples: Iterable[Sample]) -> PriorMap:
    """Averages the true masks and chooses the level that scores best on the same samples.

    Raises:
        ValueError: if no sample has a visible collision.
        SampleError: if a file is missing or broken.
    """
    truths = [masks for sample in samples if (masks := _small_true_masks(sample))]
    if not truths:
        raise ValueError("the prior map needs training samples with true masks, got none")
    share = np.mean([np.logical_or.reduce(masks) for masks in truths], axis=0, dtype=np.float32)
    share /= share.max()

    def score(level: float) -> float:
        return float(np.mean([score_masks([share >= level], masks).iou for masks in truths]))

    return PriorMap(share=share, level=float(max(_LEVELS, key=score)))


def _small_true_masks(sample: Sample) -> list[BoolMask]:
    objects = sample.load_objects() if sample.load_objects else ()
    masks = [_shrink(item.mask) for item in objects if item.is_colliding]
    return [mask for mask in masks if mask.any()]


def _shrink(mask: BoolMask) -> BoolMask:
    return cv2.resize(mask.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) >= 0.5
