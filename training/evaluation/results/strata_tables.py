"""Tables of mIoU by kind of sample (the paper's Figs. 6 to 8, and what a simulated world knows besides)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cs3_model.metrics import bootstrap
from training.evaluation.results.markdown import markdown_table, percent
from training.evaluation.results.row_runs import METRICS, RowRuns
from training.evaluation.strata import ordered_labels

Kind = tuple[str, str]
"""Stratum and label."""


def strata_tables(shown: Sequence[RowRuns], theirs: Mapping[Kind, str] | None = None) -> list[str]:
    """A Markdown table for each stratum; one with a single label says nothing and is left out.

    Args:
        shown: The rows, at least one, of the same samples.
        theirs: What the paper reports of its own method, where it does; None: no such column.
    """
    records = shown[0].samples
    tables = []
    for stratum in dict.fromkeys(name for record in records for name in record.strata):
        labels = [record.strata.get(stratum, "") for record in records]
        known = ordered_labels(stratum, [label for label in labels if label])
        if len(known) > 1:
            lines = [_line(label, np.array(labels) == label, shown) for label in known]
            header = ["mIoU", "n", *(runs.row.label for runs in shown)]
            if theirs is not None:
                header.append("paper: Ours")
                lines = [[*line, _marked(theirs.get((stratum, line[0]), ""))] for line in lines]
            tables.append(f"### By {stratum}\n\n{markdown_table(header, lines)}")
    return tables


def _line(label: str, has_it: npt.NDArray[np.bool_], shown: Sequence[RowRuns]) -> list[str]:
    groups = [record.group for record, chosen in zip(shown[0].samples, has_it, strict=True) if chosen]
    cells = []
    for runs in shown:
        values = runs.values(METRICS["mIoU"])[has_it]
        cells.append(percent(bootstrap(values, np.random.default_rng(runs.seed), groups=groups)))
    return [label, str(int(has_it.sum())), *cells]


def _marked(figure: str) -> str:
    return f"*{figure}*" if figure else ""
