"""The page of results: tables, differences and the figures that should be reached, from the records of all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cs3_model.build import load_preset
from cs3_model.metrics import Estimate, MaskScore, bootstrap, success_area
from cs3_model.pipeline import PipelineConfig
from cs3_model.types import Verdict
from training.evaluation.counterfactual import exact_by_looking
from training.evaluation.results.markdown import markdown_table, percent
from training.evaluation.results.paper_figures import PAPER_RESULTS, PaperResult
from training.evaluation.results.table_rows import (
    BASELINES,
    HEARING,
    NO_AUDIO,
    OURS,
    OURS_AV,
    RIGHT_LEFT,
    SHUFFLED,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TableRow,
)
from training.evaluation.runner import SampleResult
from training.evaluation.strata import ordered_labels

Metric = Callable[[MaskScore], float]

_METRICS: Mapping[str, Metric] = {
    "mIoU": lambda score: score.iou,
    "AUC": lambda score: success_area(score.iou),
    "exact": lambda score: float(score.is_exact),
}
_STRATA_ROWS = (OURS, OURS_AV, RIGHT_LEFT, NO_AUDIO)
_TESTS = {
    "counterfactual": "One picture, two sounds, two answers: whoever only looks is right about half at best.",
    "two_hands": "Both hands hold something, and one of the contacts is silent.",
    "twins": "Two objects of one shape and of different materials; only one of them is hit.",
    "held_out": "Shapes, finishes, pairs of materials and rooms that training never showed.",
}


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


def results_page(found: Mapping[str, Found], provenance: str, pictures: Sequence[str]) -> str:
    """The whole page.

    Args:
        found: by split; "test" must be there.
        provenance: where the figures come from, Markdown.
        pictures: paths relative to the page.
    """
    test = found["test"]
    parts = [
        "# Results in simulation",
        "**Simulation only:** all measured figures are on Sim-CS3 ([world.md](world.md)), for the preset `micro`, which "
        "was trained on Sim-CS3. The paper's figures are on real video and with large networks; they stand beside for "
        "the order of the rows, not for comparison of the values.",
        provenance,
        _READING,
        "## Figures to reach",
        _goals(found),
        "## Table 1: baselines",
        _paper_table(TABLE_1, test, ("1",)),
        _BASELINE_NOTES,
        *_silence_note(test),
        "## Table 2: ablations",
        _paper_table(TABLE_2, test, ("1", "2")),
        _preset_note(load_preset("micro").pipeline),
        "## Table 3: strategies",
        _paper_table(TABLE_3, test, ("1", "3")),
        _TOUCH_NOTE,
        "## What hearing is worth",
        _hearing_table(test),
        *(part for split in _TESTS if split in found for part in _test_parts(split, found[split])),
        "## By kind of sample (Figs. 6-8 and more)",
        *(f"![]({picture})" for picture in pictures),
        *_strata_tables(test),
    ]
    return "\n\n".join(parts) + "\n"


_READING = (
    "All in %, with 95 % bootstrap intervals over pictures; ± is the standard deviation between seeds (of weights, or "
    "of shuffles). A sample's score is the sum of its matched IoUs over the larger of the numbers of predicted and true "
    "masks. *Exact*: one mask for each true object, each with an IoU of at least 0.5. † knows the truth: a bound, not a "
    "method."
)
_BASELINE_NOTES = (
    "CLIPSound-like: the audio token trained without masks, by the losses of the paper (`training/weak/objective.py`), "
    "before the frozen prompt decoder; its map, thresholded, is the one mask, as in ACL-SSL. Mix-Localize-like: slots "
    "of mixed sounds that find their pictures by a cycle walk (`training/evaluation/baselines/mix_localize.py`). Both use the tower and the "
    "audio encoder of `micro` and the pictures and sounds of its training split."
)


_TOUCH_NOTE = (
    "The paper's row *Touch* (34.03 / 34.80) takes the object in the right hand and the one that the hand detector says "
    "it touches; that of `micro` does not say so. *Adjacent* is not in the paper: *Ours*, but two objects must be adjacent "
    "or overlap."
)


def _paper_table(rows: Sequence[TableRow], found: Found, tables: Sequence[str]) -> str:
    header = ["Row", "mIoU", "±", "AUC", "exact", "paper: EPIC-CS3 mIoU / AUC", "paper: Ego4D-CS3 mIoU / AUC"]
    lines = []
    for row in rows:
        if row in found:
            theirs = (_theirs(row, data_set, tables) for data_set in ("epic_cs3", "ego4d_cs3"))
            lines.append([row.label, *_measured(found[row], ("mIoU", "AUC", "exact")), *theirs])
    return f"n = {_count(found)}.\n\n{markdown_table(header, lines)}"


def _preset_note(config: PipelineConfig) -> str:
    """Which ablation of the second look the preset is, and where it leaves the paper."""
    mine, other = ("w/ crop", "w/o crop") if config.use_crop else ("w/o crop", "w/ crop")
    limit = config.verification
    return (
        f"`use_crop` is {'on' if config.use_crop else 'off'} in the preset `micro`: *Ours* is *{mine}*, and *{other}* is the "
        "same weights with the other choice. The paper's Ours, and its row w/o SAM(AV), have it on: they look again at a "
        "crop around the peak of the first map. Two choices of the preset are not the paper's: the heard object is "
        f"segmented by a {config.heard_mask.value} of that map, the best of {config.heard_points}, in "
        f"{config.heard_box_rounds} rounds (*heard object from its box, once*: the paper's way), and masks collide when "
        f"they are less than {limit.contact_distance_px:g} px apart in a picture that is {limit.reference_width_px} px "
        "wide (*beta 15 px*: the paper's number, whose resolution it does not say)."
    )


def _measured(runs: RowRuns, metrics: Sequence[str]) -> list[str]:
    first, *others = metrics
    spread = f"{100 * runs.spread(_METRICS[first]):.2f}" if len(runs.scores) > 1 else ""
    return [percent(runs.estimate(_METRICS[first])), spread, *(percent(runs.estimate(_METRICS[m])) for m in others)]


def _silence_note(found: Found) -> list[str]:
    count = len(found[OURS].silences) // len(found[OURS].scores)
    if not count:
        return []
    shares = [f"{row.label} {100 * np.mean(found[row].silences):.1f} %" for row in TABLE_1 if row in found]
    return [f"In {count} more samples nothing collides visibly; answered with no mask: {', '.join(shares)}."]


def _theirs(row: TableRow, data_set: str, tables: Sequence[str]) -> str:
    matching: list[PaperResult] = [
        result for result in PAPER_RESULTS[data_set] if result.row == row.paper and result.table in tables
    ]
    return f"*{matching[0].miou:.2f} / {matching[0].auc:.2f}*" if matching else ""


def _hearing_table(found: Found) -> str:
    """Each row, and how far Ours is above it."""
    header = ["Row", "mIoU", "exact", "±", "Ours is above it by, mIoU", "Ours is above it by, exact"]
    lines = []
    for row in HEARING:
        if row in found:
            runs, ours = found[row], found[OURS]
            above = [_points(ours.above(runs, _METRICS[m])) if row is not OURS else "" for m in ("mIoU", "exact")]
            lines.append([row.label, percent(runs.estimate(_METRICS["mIoU"])), *_measured(runs, ("exact",)), *above])
    return f"n = {_count(found)}.\n\n{markdown_table(header, lines)}"


def _test_parts(split: str, found: Found) -> list[str]:
    records = found[OURS].samples
    note = _TESTS[split]
    if len({record.group for record in records}) < len(records):
        ceiling = 100 * exact_by_looking([(record.group, record.answer) for record in records])
        note += f" No row that only looks can be exact on more than {ceiling:.1f} %."
    return [f"### Test: {split.replace('_', ' ')}", note, _hearing_table(found)]


def _goals(found: Mapping[str, Found]) -> str:
    test, iou, exact = found["test"], _METRICS["mIoU"], _METRICS["exact"]
    ours = test[OURS]
    best = max((test[row] for row in BASELINES if row in test), key=lambda runs: runs.estimate(iou).mean)
    ratio = ours.estimate(iou).mean / best.estimate(iou).mean
    lines = [[f"mIoU of Ours / of the best baseline ({best.row.label})", ">= 3", f"{ratio:.2f}", _met(ratio >= 3)]]
    for row in (RIGHT_LEFT, OURS_AV):
        above = ours.above(test[row], iou)
        lines.append([f"Ours - {row.label}, mIoU", "> 0", _points(above), _met(above.low > 0)])
    for split in ("counterfactual", "two_hands"):
        for row in (NO_AUDIO, SHUFFLED):
            if row in found.get(split, {}):
                above = found[split][OURS].above(found[split][row], exact)
                name = f"{split.replace('_', ' ')}: Ours - {row.label}, exact"
                lines.append([name, ">= 10", _points(above), _met(above.mean >= 0.1)])
    return markdown_table(["", "wanted", "measured", ""], lines)


def _points(difference: Estimate) -> str:
    mean, low, high = (100 * value for value in (difference.mean, difference.low, difference.high))
    return f"{mean:+.2f} ({low:+.1f} to {high:+.1f})"


def _met(is_met: bool) -> str:
    return "reached" if is_met else "**missed**"


def _strata_tables(found: Found) -> list[str]:
    """mIoU by label; a stratum with one label says nothing and is left out."""
    shown = [found[row] for row in _STRATA_ROWS if row in found]
    records = found[OURS].samples
    tables = []
    for stratum in dict.fromkeys(name for record in records for name in record.strata):
        labels = [record.strata.get(stratum, "") for record in records]
        known = ordered_labels(stratum, [label for label in labels if label])
        if len(known) > 1:
            lines = [_stratum_line(label, np.array(labels) == label, shown) for label in known]
            header = ["mIoU", "n", *(runs.row.label for runs in shown)]
            tables.append(f"### By {stratum}\n\n{markdown_table(header, lines)}")
    return tables


def _stratum_line(label: str, has_it: npt.NDArray[np.bool_], shown: Sequence[RowRuns]) -> list[str]:
    groups = [record.group for record, chosen in zip(shown[0].samples, has_it, strict=True) if chosen]
    cells = []
    for runs in shown:
        values = runs.values(_METRICS["mIoU"])[has_it]
        cells.append(percent(bootstrap(values, np.random.default_rng(runs.seed), groups=groups)))
    return [label, str(int(has_it.sum())), *cells]


def _count(found: Found) -> str:
    scores = found[OURS].scores
    seeds = f", {len(scores)} seeds of weights" if len(scores) > 1 else ""
    return f"{len(scores[0])} samples with a visible collision{seeds}"
