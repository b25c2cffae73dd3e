"""Results as a Markdown table and as JSON."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cs3_model.metrics import Estimate, Summary, bootstrap, success_area, summarise
from cs3_model.types import Verdict
from training.evaluation.counterfactual import exact_by_looking
from training.evaluation.results.paper_figures import PAPER_RESULTS
from training.evaluation.rows import Row
from training.evaluation.runner import Evaluation, Record
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInfo:
    """What fixes a run."""

    config: dict[str, Any]
    """The options of the command line, with defaults."""
    data_set: str
    split: str
    seed: int
    commit: str
    versions: dict[str, str]


def summarise_rows(evaluation: Evaluation, seed: int) -> list[RowSummary]:
    """Summarises all rows of an evaluation."""
    return [_summarise_row(row, evaluation.records[row.name], seed) for row in evaluation.rows]


def run_info(config: dict[str, Any], data_set: str, split: str, seed: int) -> RunInfo:
    """Collects what fixes a run, with the commit of the source tree."""
    versions = {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__}
    return RunInfo(
        config=config, data_set=data_set, split=split, seed=seed, commit=source_commit(), versions=versions
    )  # fmt: skip


def markdown(summaries: Sequence[RowSummary], evaluation: Evaluation, info: RunInfo) -> str:
    """The whole report."""
    records = evaluation.records[evaluation.rows[0].name]
    parts = [
        f"# {info.data_set}, {info.split}: {len(records)} samples",
        _provenance(evaluation, info),
        _results_table(summaries),
        *_notes(summaries, records),
        *(_stratum_table(stratum, summaries) for stratum in summaries[0].strata),
    ]
    if info.data_set in PAPER_RESULTS:
        parts.append(_paper_table(info.data_set))
    return "\n\n".join(parts) + "\n"


def as_json(summaries: Sequence[RowSummary], evaluation: Evaluation, info: RunInfo) -> str:
    """Everything, down to the score of each sample."""
    rows = []
    for summary in summaries:
        values = {name: getattr(summary.row, name) for name in ("name", "label", "models", "trained")}
        values |= {"sound": summary.row.sound.value, "overall": summary.overall and asdict(summary.overall)}
        values |= {
            "strata": {name: {label: asdict(score) for label, score in labels.items()}
                       for name, labels in summary.strata.items()},
            "num_without_collision": summary.num_without_collision,
            "num_kept_silent": summary.num_kept_silent,
            "samples": [asdict(record) for record in evaluation.records[summary.row.name]],
        }  # fmt: skip
        rows.append(values)
    skipped = [asdict(skipped) for skipped in evaluation.skipped]
    return json.dumps({**asdict(info), "skipped": skipped, "rows": rows}, indent=1)


def _summarise_row(row: Row, records: Sequence[Record], seed: int) -> RowSummary:
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
        overall=summarise([r.score for r in scored], [r.group for r in scored], seed=seed) if scored else None,
        strata=strata,
        num_without_collision=len(silent),
        num_kept_silent=sum(record.verdict is Verdict.NONE for record in silent),
    )


def _stratum_score(records: Sequence[Record], seed: int) -> StratumScore:
    ious = [record.score.iou for record in records]
    groups = [record.group for record in records]
    return StratumScore(
        num_samples=len(records),
        iou=bootstrap(ious, np.random.default_rng(seed), groups=groups),
        auc=float(np.mean([success_area(iou) for iou in ious])),
        exact=float(np.mean([record.score.is_exact for record in records])),
    )


def _provenance(evaluation: Evaluation, info: RunInfo) -> str:
    lines = [f"Commit {info.commit}, seed {info.seed}."]
    if evaluation.skipped:
        lines.append(f"**Samples skipped: {len(evaluation.skipped)}.** These figures compare with nothing.")
    untrained = [row.label for row in evaluation.rows if not row.trained]
    if untrained:
        lines.append(f"**Random weights, meaningless figures:** {', '.join(untrained)}.")
    return " ".join(lines)


def _results_table(summaries: Sequence[RowSummary]) -> str:
    header = ["Row", "n", "mIoU", "AUC", "mIoU, extra free", "AUC, extra free", "exact"]
    lines = []
    for summary in summaries:
        overall = summary.overall
        if overall is not None:
            estimates = (overall.iou, overall.auc, overall.iou_extra_free, overall.auc_extra_free, overall.exact)
            lines.append([summary.row.label, str(overall.num_samples), *map(percent, estimates)])
    return markdown_table(header, lines)


def _notes(summaries: Sequence[RowSummary], records: Sequence[Record]) -> list[str]:
    explanation = (
        "All in %, with 95 % bootstrap intervals. A sample's score is the sum of its matched IoUs over the larger of "
        "the numbers of predicted and true masks; *extra free* divides by the number of true masks. *Exact*: one mask "
        "for each true object, each with an IoU of at least 0.5."
    )
    notes = [explanation]
    if any(summary.row.needs_whole_scene for summary in summaries):
        notes.append("† Knows the true masks of all objects and the hands that hold them: a bound, not a method.")
    if summaries[0].num_without_collision:
        kept = [f"{s.row.label} {100 * s.num_kept_silent / s.num_without_collision:.1f} %" for s in summaries]
        count = summaries[0].num_without_collision
        notes.append(f"No visible collision in {count} more samples; answered with no mask: {', '.join(kept)}.")
    scored = [record for record in records if record.score is not None]
    if len({record.group for record in scored}) < len(scored):
        ceiling = 100 * exact_by_looking([(record.group, record.answer) for record in scored])
        notes.append(
            f"Several sounds share a picture: no row that only looks can be exact on more than {ceiling:.1f} %."
        )
    return notes


def _stratum_table(stratum: str, summaries: Sequence[RowSummary]) -> str:
    header = ["mIoU", "n", *(summary.row.label for summary in summaries)]
    lines = [
        [label, str(score.num_samples), *(percent(summary.strata[stratum][label].iou) for summary in summaries)]
        for label, score in summaries[0].strata[stratum].items()
    ]
    return f"## By {stratum}\n\n" + markdown_table(header, lines)


def _paper_table(data_set: str) -> str:
    lines = [
        [result.table, result.row, f"{result.miou:.2f}", f"{result.auc:.2f}"] for result in PAPER_RESULTS[data_set]
    ]
    title = "## Figures of the paper\n\nReported by Parida et al. (2025), with their weights; not measured here.\n\n"
    return title + markdown_table(["Table", "Row", "mIoU", "AUC"], lines, text_columns=2)


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """A Markdown table whose columns after the first are numbers."""
    rule = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines))


def percent(estimate: Estimate) -> str:
    """A share as percent, with its interval."""
    return f"{100 * estimate.mean:.2f} ({100 * estimate.low:.1f}-{100 * estimate.high:.1f})"


def source_commit() -> str:
    """The commit of the source tree, marked if files differ from it; "unknown" outside a repository."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return f"{commit} (modified)" if _git(folder, "status", "--porcelain") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()  # fmt: skip
