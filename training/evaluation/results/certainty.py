"""How much the published confidence tells: risk against coverage, calibration, and whether anything was in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu

from cs3_model.metrics import Estimate, bootstrap
from cs3_model.types import Verdict
from training.evaluation.results.markdown import markdown_table, percent
from training.evaluation.runner import SampleResult

LOST = 0.05
"""Share of the visible collisions that the operating point of "nothing in view" may lose."""
_COVERAGES = (1.0, 0.8, 0.6, 0.4, 0.2)
_BINS = 10
_ANY = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """How well the probability that nothing in view collided tells such samples from visible collisions."""

    num_samples: int
    """Samples without a visible collision."""
    auroc: float
    refused: float
    """Share of them that is refused where 5 % of the visible collisions are lost."""


def published(records: Sequence[SampleResult]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Confidence of each answer that has one, and whether it is right: exact, or none where nothing can be seen."""
    sure = [record for record in records if record.confidence is not None]
    return np.array([record.confidence for record in sure], np.float64), np.array([_is_right(r) for r in sure], bool)


def calibration_error(probabilities: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_]) -> float:
    """The expected calibration error: how far the mean probability lies from the share of right answers, over ten bins.

    Args:
        probabilities: Float [N] in [0, 1], N >= 1.
        is_right: Bool [N].
    """
    bins = _bins_of(probabilities)
    gaps = [
        abs(probabilities[bins == index].mean() - is_right[bins == index].mean()) * np.mean(bins == index)
        for index in np.unique(bins)
    ]
    return float(np.sum(gaps))


def detection_by_scenario(records: Sequence[SampleResult]) -> dict[str, Detection]:
    """The detection of what is not in view, over all scenarios and for each by itself; empty where it is unknown."""
    known = [record for record in records if record.not_in_view is not None]
    seen = np.array([record.not_in_view for record in known if record.score is not None], np.float64)
    unseen = [record for record in known if record.score is None]
    if not seen.size or not unseen:
        return {}
    limit = float(np.quantile(seen, 1.0 - LOST))
    names = [_ANY, *sorted({record.strata.get("scenario", "") for record in unseen} - {""})]
    found = {}
    for name in names:
        values = np.array([r.not_in_view for r in unseen if name in (_ANY, r.strata.get("scenario"))], np.float64)
        found[name] = Detection(
            num_samples=values.size, auroc=auroc(values, seen), refused=float(np.mean(values > limit))
        )
    return found


def auroc(higher: npt.NDArray[np.float64], lower: npt.NDArray[np.float64]) -> float:
    """The probability that a value of the first kind exceeds one of the second; NaN if there is none of a kind."""
    if not len(higher) or not len(lower):
        return float("nan")
    return float(mannwhitneyu(higher, lower).statistic / (len(higher) * len(lower)))


def certainty_section(records: Sequence[SampleResult], label: str, seed: int) -> str:
    """Tables of one row whose answers have a confidence, Markdown; empty where they have none."""
    confidences, is_right = published(records)
    if not confidences.size:
        return ""
    parts = [
        f"## How sure: {label}",
        f"Of {confidences.size} answers; right: exact, or no mask where no collision can be seen. Calibration error "
        f"(ECE, {_BINS} bins): {calibration_error(confidences, is_right):.3f}.",
        markdown_table(
            ["the surest", *(f"{share:.0%}" for share in _COVERAGES)], [_risks(confidences, is_right, seed)]
        ),
        markdown_table(["confidence", "n", "mean", "right"], _reliability(confidences, is_right), text_columns=1),
    ]
    if detections := detection_by_scenario(records):
        lines = [[name, str(d.num_samples), f"{d.auroc:.3f}", f"{d.refused:.0%}"] for name, d in detections.items()]
        header = ["not in view", "n", "AUROC against visible", f"refused where {LOST:.0%} of visible are lost"]
        parts.append(markdown_table(header, lines))
    return "\n\n".join(parts)


def _risks(confidences: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_], seed: int) -> list[str]:
    order = np.argsort(-confidences, kind="stable")
    cells = ["wrong"]
    for share in _COVERAGES:
        wrong = ~is_right[order[: max(1, round(share * order.size))]]
        estimate: Estimate = bootstrap(wrong.astype(float), np.random.default_rng(seed))
        cells.append(percent(estimate))
    return cells


def _reliability(confidences: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_]) -> list[list[str]]:
    bins = _bins_of(confidences)
    return [
        [
            f"{index / _BINS:.1f}-{(index + 1) / _BINS:.1f}",
            str(int((bins == index).sum())),
            f"{confidences[bins == index].mean():.2f}",
            f"{is_right[bins == index].mean():.2f}",
        ]
        for index in np.unique(bins)
    ]


def _bins_of(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    return np.minimum((probabilities * _BINS).astype(np.intp), _BINS - 1)


def _is_right(record: SampleResult) -> bool:
    return record.verdict is Verdict.NONE if record.score is None else record.score.is_exact
