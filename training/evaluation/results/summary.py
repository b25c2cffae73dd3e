"""What the rows of an evaluation reached: means with intervals, over all samples and by kind of sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cs3_model.metrics import Estimate, MaskScore, Summary, bootstrap, success_area, summarise
from cs3_model.types import Verdict
from training.evaluation.row import Row
from training.evaluation.runner import Evaluation, SampleResult
from training.evaluation.strata import ordered_labels


@dataclass(frozen=True, kw_only=True, slots=True)
class StratumScore:
    """The scores of the samples with one label."""

    num_samples: int
    iou: Estimate
    auc: float
    exact: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSummary:
    """What a row reached."""

    row: Row
    overall: Summary | None
    """Over all samples with a visible collision; None if there are none."""
    strata: dict[str, dict[str, StratumScore]]
    """By stratum and label, in the order to show them."""
    num_without_collision: int
    """Number of samples in which no colliding object can be seen."""
    num_kept_silent: int
    """How many of those were answered with no mask."""


def summarise_rows(evaluation: Evaluation, seed: int) -> list[RowSummary]:
    """Summarises all rows of an evaluation."""
    return [_summarise_row(row, evaluation.records[row.name], seed) for row in evaluation.rows]


def _summarise_row(row: Row, records: Sequence[SampleResult], seed: int) -> RowSummary:
    scored = [record for record in records if record.score is not None]
    silent = [record for record in records if record.score is None]
    strata: dict[str, dict[str, StratumScore]] = {}
    for stratum in dict.fromkeys(name for record in scored for name in record.strata):
        with_label = [record for record in scored if stratum in record.strata]
        strata[stratum] = {
            label: _stratum_score([record for record in with_label if record.strata[stratum] == label], seed)
            for label in ordered_labels(stratum, [record.strata[stratum] for record in with_label])
        }
    return RowSummary(
        row=row,
        overall=summarise(_scores(scored), [r.group for r in scored], seed=seed) if scored else None,
        strata=strata,
        num_without_collision=len(silent),
        num_kept_silent=sum(record.verdict is Verdict.NONE for record in silent),
    )


def _scores(records: Sequence[SampleResult]) -> list[MaskScore]:
    return [record.score for record in records if record.score is not None]


def _stratum_score(records: Sequence[SampleResult], seed: int) -> StratumScore:
    scores = _scores(records)
    ious = [score.iou for score in scores]
    groups = [record.group for record in records]
    return StratumScore(
        num_samples=len(records),
        iou=bootstrap(ious, np.random.default_rng(seed), groups=groups),
        auc=float(np.mean([success_area(iou) for iou in ious])),
        exact=float(np.mean([score.is_exact for score in scores])),
    )
