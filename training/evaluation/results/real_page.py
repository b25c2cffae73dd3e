"""The paper's tables on real data: what was measured, and what the paper reports beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.data.sound_windows import WindowPlace
from training.evaluation.results.markdown import markdown_table, percent
from training.evaluation.results.paper_figures import PAPER_STRATA, paper_cell
from training.evaluation.results.real_rows import AbsentRow, RealRow, RealRows
from training.evaluation.results.row_runs import METRICS, Found, RowRuns
from training.evaluation.results.strata_tables import strata_tables
from training.evaluation.row import Row

_TITLES = {"epic_cs3": "EPIC-CS3", "ego4d_cs3": "Ego4D-CS3"}
_PLACES = {
    WindowPlace.PICTURE: "around the picture, inside the segment (the tables above)",
    WindowPlace.SEGMENT: "around the middle of the segment",
    WindowPlace.PEAK: "around the loudest sample, as the paper trains on Ego4D-CS3",
}
_READING = (
    "In *italics*: reported by Parida et al. (2025), with their weights; not measured here. All in %, with 95 % "
    "bootstrap intervals. A sample's score is the sum of its matched IoUs over the larger of the numbers of predicted and "
    "true masks (the paper does not say what an extra mask costs; *extra free*: nothing). *Exact*: one mask for each true "
    "object, each with an IoU of at least 0.5."
)


def real_page(
    *,
    data_set: str,
    rows: RealRows,
    found: Found,
    by_place: Mapping[WindowPlace, RowRuns],
    ours: Row,
    provenance: str,
    pictures: Sequence[str],
) -> str:
    """The whole page, Markdown.

    Args:
        data_set: Name of the data set.
        rows: The tables.
        found: What each row that can be had made of the samples.
        by_place: What *Ours* made of them where the 2 s of sound lie elsewhere, too.
        ours: The row *Ours* as it was built: its models, and whether they are trained.
        provenance: Where the figures come from, Markdown.
        pictures: Paths relative to the page.
    """
    parts = [
        f"# The paper's tables on {_TITLES[data_set]}, measured",
        f"Preset `{rows.preset}`: {', '.join(ours.models)}; networks in float32. n = {len(found[rows.ours].samples)}.",
        *([] if ours.trained else ["**Random weights, meaningless figures.**"]),
        provenance,
        _READING,
        "## Table 1: baselines",
        _table(rows.table_1, found, data_set, ("1",)),
        "## Table 2: ablations",
        _table(rows.table_2, found, data_set, ("1", "2")),
        "## Table 3: strategies",
        _table(rows.table_3, found, data_set, ("1", "3")),
        *_absent_notes(rows.absent()),
        "## Where the 2 s of sound lie: Ours",
        _place_table(by_place),
        "## By kind of sample (Figs. 6 to 8)",
        *(f"![]({picture})" for picture in pictures),
        *strata_tables([found[row] for row in rows.by_kind], PAPER_STRATA.get(data_set, {})),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[RealRow], found: Found, data_set: str, tables: Sequence[str]) -> str:
    lines = []
    for row in rows:
        cells = ["not measured", *[""] * (len(METRICS) - 1)] if isinstance(row, AbsentRow) else _cells(found[row])
        lines.append([row.label, *cells, paper_cell(data_set, row.paper, tables)])
    return markdown_table(["Row", *METRICS, f"paper: {_TITLES[data_set]} mIoU / AUC"], lines)


def _absent_notes(absent: Sequence[AbsentRow]) -> list[str]:
    if not absent:
        return []
    return ["Not measured:\n\n" + "\n".join(f"- *{row.label}*: {row.why}." for row in absent)]


def _place_table(by_place: Mapping[WindowPlace, RowRuns]) -> str:
    lines = [[_PLACES[place], *_cells(runs)] for place, runs in by_place.items()]
    return markdown_table(["the window lies", *METRICS], lines)


def _cells(runs: RowRuns) -> list[str]:
    return [percent(runs.estimate(metric)) for metric in METRICS.values()]
