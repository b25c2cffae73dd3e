"""What a row of a table made of the samples of a split, over all its runs, and the means of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cs3_model.metrics import Estimate, MaskScore, bootstrap, success_area
from cs3_model.types import Verdict
from training.evaluation.results.table_rows import TableRow
from training.evaluation.runner import SampleResult

Metric = Callable[[MaskScore], float]

METRICS: Mapping[str, Metric] = {
    "mIoU": lambda score: score.iou,
    "mIoU, extra free": lambda score: score.iou_extra_free,
    "AUC": lambda score: success_area(score.iou),
    "exact": lambda score: float(score.is_exact),
}
"""What tables show, by the head of its column."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RowRuns:
    """What a row made of the samples of a split with a visible collision, once per seed or shuffle."""

    row: TableRow
    scores: tuple[tuple[MaskScore, ...], ...]
    """Of each run; the same samples in the same order each time."""
    samples: tuple[SampleResult, ...]
    """What the first run made of these samples: their groups, strata and true answers are those of all runs."""
    silences: tuple[bool, ...]
    """Over all runs: whether a sample without visible collision was answered with no mask."""
    seed: int
    """Fixes the intervals."""

    def values(self, metric: Metric) -> npt.NDArray[np.float64]:
        """The mean over the runs for each sample."""
        return np.mean([[metric(score) for score in run] for run in self.scores], axis=0)

    def estimate(self, metric: Metric) -> Estimate:
        """The mean over runs and samples; the interval is of the samples."""
        return self._bootstrap(self.values(metric))

    def spread(self, metric: Metric) -> float:
        """Standard deviation between runs."""
        return float(np.std([np.mean([metric(score) for score in run]) for run in self.scores], ddof=1))

    def above(self, other: RowRuns, metric: Metric) -> Estimate:
        """By how much this is better than another row, sample by sample."""
        return self._bootstrap(self.values(metric) - other.values(metric))

    def _bootstrap(self, values: np.ndarray) -> Estimate:
        groups = [record.group for record in self.samples]
        return bootstrap(values, np.random.default_rng(self.seed), groups=groups)


Found = Mapping[TableRow, RowRuns]
"""What was measured on one split; rows whose weights were not given are absent."""


def runs_of(row: TableRow, runs: Sequence[Sequence[SampleResult]], seed: int) -> RowRuns:
    """Takes the samples without a visible collision aside."""
    silences = tuple(r.verdict is Verdict.NONE for run in runs for r in run if r.score is None)
    scores = tuple(tuple(r.score for r in run if r.score is not None) for run in runs)
    samples = tuple(r for r in runs[0] if r.score is not None)
    return RowRuns(row=row, scores=scores, samples=samples, silences=silences, seed=seed)
