"""Scores of rows as a Markdown table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from training.evaluation.counterfactual import exact_by_looking
from training.evaluation.results.certainty import certainty_section
from training.evaluation.results.markdown import markdown_table, percent
from training.evaluation.results.paper_figures import PAPER_RESULTS
from training.evaluation.results.summary import RowSummary
from training.evaluation.runner import Evaluation, SampleResult
from training.run_info import RunInfo


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
    sections = (certainty_section(evaluation.records[row.name], row.label, info.seed) for row in evaluation.rows)
    parts += filter(None, sections)
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


def _provenance(evaluation: Evaluation, info: RunInfo) -> str:
    lines = [f"Commit {info.commit}, seed {info.seed}."]
    if evaluation.skipped:
        lines.append(f"**Samples skipped: {len(evaluation.skipped)}.** These figures compare with nothing.")
    untrained = [row.label for row in evaluation.rows if not row.trained]
    if untrained:
        lines.append(f"**Random weights, meaningless figures:** {', '.join(untrained)}.")
    return " ".join(lines)


def _results_table(summaries: Sequence[RowSummary]) -> str:
    header = ["Row", "n", "mIoU", "AUC", "mIoU, extra free", "AUC, extra free", "exact", "any"]
    lines = []
    for summary in summaries:
        overall = summary.overall
        if overall is not None:
            estimates = (
                overall.iou,
                overall.auc,
                overall.iou_extra_free,
                overall.auc_extra_free,
                overall.exact,
                overall.any_found,
            )
            lines.append([summary.row.label, str(overall.num_samples), *map(percent, estimates)])
    return markdown_table(header, lines)


def _notes(summaries: Sequence[RowSummary], records: Sequence[SampleResult]) -> list[str]:
    explanation = (
        "All in %, with 95 % bootstrap intervals. A sample's score is the sum of its matched IoUs over the larger of "
        "the numbers of predicted and true masks; *extra free* divides by the number of true masks. *Exact*: one mask "
        "for each true object, each with an IoU of at least 0.5; *any*: at least one such mask."
    )
    notes = [explanation]
    if any(summary.row.needs_whole_scene for summary in summaries):
        notes.append("† Knows the true masks of all objects and the hands that hold them: a bound, not a method.")
    if summaries[0].num_without_collision:
        kept = [f"{s.row.label} {100 * s.num_kept_silent / s.num_without_collision:.1f} %" for s in summaries]
        count = summaries[0].num_without_collision
        notes.append(f"No visible collision in {count} more samples; answered with no mask: {', '.join(kept)}.")
    answers = [(record.group, record.answer) for record in records if record.score is not None]
    if answers and (ceiling := exact_by_looking(answers)) < 1:
        notes.append(
            f"Several sounds share a picture: no row that only looks can be exact on more than {100 * ceiling:.1f} %."
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
