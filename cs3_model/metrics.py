"""How well masks match the truth: mean IoU after the best matching, and the area under the success curve.

The score of a sample is the sum of its matched IoUs over the number of masks, and a data set's score is the mean over
samples (not over masks): with 471 two-mask samples at 40.205 and 143 one-mask samples at 36.678 that gives the 39.38
of the paper's Table 1. The paper does not say how it counts predictions beyond the truth, so there are two scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from cs3_model.geometry import intersection_over_union
from cs3_model.types import BoolMask

Float64Array = npt.NDArray[np.float64]

IOU_THRESHOLDS: Float64Array = np.arange(21) / 20
"""Where the success curve is sampled: 0, 0.05, ..., 1."""

EXACT_IOU = 0.5
"""A mask stands for an object if their IoU is at least this."""

_DRAWN_AT_ONCE = 200_000
"""Groups drawn at once by `bootstrap`, which bounds its memory."""

_ROUNDING = 1e-9
"""A mean of two IoUs that is a threshold on paper may lie below it by rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskScore:
    """How the predicted masks of one sample match the true ones."""

    matched_ious: tuple[float, ...]
    """IoU of each pair of the matching whose sum of IoUs is the largest, highest first."""
    num_predicted: int
    """Number of predicted masks."""
    num_true: int
    """Number of true masks, at least 1."""

    @staticmethod
    def from_fields(fields: Mapping[str, Any]) -> MaskScore:
        """The inverse of `dataclasses.asdict`, also after JSON made lists of tuples."""
        return MaskScore(**{**fields, "matched_ious": tuple(fields["matched_ious"])})

    @property
    def iou(self) -> float:
        """Sum of matched IoUs over the larger of both counts, in [0, 1]: missing and extra masks cost the same."""
        return sum(self.matched_ious) / max(self.num_predicted, self.num_true)

    @property
    def iou_extra_free(self) -> float:
        """Sum of matched IoUs over the number of true masks, in [0, 1]: extra predictions cost nothing."""
        return sum(self.matched_ious) / self.num_true

    @property
    def finds_any(self) -> bool:
        """True if at least one matched mask has an IoU of at least `EXACT_IOU`."""
        return max(self.matched_ious, default=0.0) >= EXACT_IOU

    @property
    def is_exact(self) -> bool:
        """True if there is one mask for each true object, each with an IoU of at least `EXACT_IOU`."""
        return self.num_predicted == self.num_true and min(self.matched_ious) >= EXACT_IOU


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean with its bootstrap interval."""

    mean: float
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The scores of a set of samples, as shares in [0, 1]."""

    num_samples: int
    iou: Estimate
    """mIoU, by `MaskScore.iou`."""
    auc: Estimate
    """Area under the success curve of `MaskScore.iou`."""
    iou_extra_free: Estimate
    """mIoU, by `MaskScore.iou_extra_free`."""
    auc_extra_free: Estimate
    """Area under the success curve of `MaskScore.iou_extra_free`."""
    exact: Estimate
    """Share of samples whose colliding objects were found exactly, by `MaskScore.is_exact`."""
    any_found: Estimate
    """Share of samples of which at least one object was found, by `MaskScore.finds_any`."""


def score_masks(predicted: Sequence[BoolMask], true: Sequence[BoolMask]) -> MaskScore:
    """Matches predicted and true masks of one picture, each [H, W], one to one, for the largest sum of IoUs.

    Raises:
        ValueError: if there is no true mask, a true mask is empty, or the shapes differ.
    """
    return score_alternatives(predicted, [(mask,) for mask in true])


def score_alternatives(predicted: Sequence[BoolMask], true: Sequence[Sequence[BoolMask]]) -> MaskScore:
    """As `score_masks`, where each true object has one or more masks that are equally right: the best counts.

    Raises:
        ValueError: if there is no true object, one without a mask, a true mask is empty, or the shapes differ.
    """
    if not true or not all(masks and all(mask.any() for mask in masks) for masks in true):
        raise ValueError("a sample needs at least one true mask, and none may be empty")
    shapes = {mask.shape for mask in (*predicted, *(mask for masks in true for mask in masks))}
    if len(shapes) > 1:
        raise ValueError(f"masks must have one shape, got {', '.join(str(list(shape)) for shape in sorted(shapes))}")
    ious = np.array([[max(intersection_over_union(g, t) for t in masks) for masks in true] for g in predicted])
    ious = ious.reshape(len(predicted), len(true))
    matched = ious[linear_sum_assignment(ious, maximize=True)]
    return MaskScore(
        matched_ious=tuple(sorted(matched.tolist(), reverse=True)), num_predicted=len(predicted), num_true=len(true)
    )


def success_curve(ious: npt.ArrayLike) -> Float64Array:
    """The share of samples whose score reaches each of `IOU_THRESHOLDS`.

    Args:
        ious: Scores in [0, 1], shape [N], at least one.

    Returns:
        float64 [21], starting at 1, never rising.
    """
    return (np.asarray(ious, np.float64)[:, None] + _ROUNDING >= IOU_THRESHOLDS).mean(axis=0)


def success_area(iou: float) -> float:
    """The trapezoidal area under the success curve of a single sample, in [0.025, 1].

    The curve of a data set is the mean of its samples' curves, so its area (AUC) is the mean of this. The paper does
    not define its AUC; this is how the benchmarks do that it compares with (LVS, EZ-VSL, ACL).
    """
    curve = success_curve([iou])
    return float((curve[1:] + curve[:-1]).mean() / 2)


def bootstrap(
    values: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    groups: Sequence[str] | None = None,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """The mean of per-sample values, with a percentile bootstrap interval.

    Args:
        values: One per sample, shape [N], at least one.
        rng: Draws the resamples.
        groups: Names what belongs together, one per sample; whole groups are drawn, since the samples of one picture
            succeed or fail together. None: every sample for itself.
        num_resamples: How often to draw.
        confidence: Share of the resampled means inside the interval.
    """
    values = np.asarray(values, np.float64)
    labels = np.arange(values.size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sums, counts = np.bincount(labels, values), np.bincount(labels)
    means = np.empty(num_resamples)
    at_once = max(1, _DRAWN_AT_ONCE // sums.size)
    for start in range(0, num_resamples, at_once):
        drawn = rng.integers(sums.size, size=(min(at_once, num_resamples - start), sums.size))
        means[start : start + at_once] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(mean=float(values.mean()), low=float(low), high=float(high))


def summarise(scores: Sequence[MaskScore], groups: Sequence[str], *, seed: int = 0) -> Summary:
    """All metrics of a set of samples, at least one.

    Args:
        scores: One per sample.
        groups: See `bootstrap`. All metrics are resampled alike.
        seed: Fixes the resamples.
    """

    def estimate(values: Sequence[float]) -> Estimate:
        return bootstrap(values, np.random.default_rng(seed), groups=groups)

    return Summary(
        num_samples=len(scores),
        iou=estimate([score.iou for score in scores]),
        auc=estimate([success_area(score.iou) for score in scores]),
        iou_extra_free=estimate([score.iou_extra_free for score in scores]),
        auc_extra_free=estimate([success_area(score.iou_extra_free) for score in scores]),
        exact=estimate([float(score.is_exact) for score in scores]),
        any_found=estimate([float(score.finds_any) for score in scores]),
    )
