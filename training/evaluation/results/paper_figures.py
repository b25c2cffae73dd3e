"""The figures that the paper reports (Parida et al., 2025, arXiv 2511.13863), to stand beside measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperResult:
    """One row of a table of the paper, in percent."""

    table: str
    row: str
    miou: float
    auc: float


PAPER_RESULTS: Mapping[str, tuple[PaperResult, ...]] = {
    "epic_cs3": (
        PaperResult("1", "Random", 2.16, 3.96),
        PaperResult("1", "Centre (10 % square)", 6.95, 7.43),
        PaperResult("1", "CLIPSound", 6.46, 6.97),
        PaperResult("1", "Mix-Localize", 7.20, 7.53),
        PaperResult("1", "Ours (AV)", 13.13, 13.48),
        PaperResult("1", "Ours", 39.38, 39.60),
        PaperResult("2", "Ours, w/o SAM(AV)", 37.92, 37.93),
        PaperResult("2", "Ours, w/o SAM(AV), crop", 37.67, 37.75),
        PaperResult("2", "Ours, w/o SAM(AV), crop, HOI", 10.01, 10.11),
        PaperResult("3", "Right", 25.66, 26.48),
        PaperResult("3", "Left", 19.00, 20.25),
        PaperResult("3", "Right-AV", 31.28, 31.64),
        PaperResult("3", "Left-AV", 23.82, 24.57),
        PaperResult("3", "Touch", 34.03, 34.80),
        PaperResult("3", "Right-Left", 37.63, 37.81),
        PaperResult("3", "Oracle", 44.10, 44.38),
    ),
    "ego4d_cs3": (
        PaperResult("1", "Random", 5.81, 6.42),
        PaperResult("1", "Centre (10 % square)", 6.06, 6.82),
        PaperResult("1", "CLIPSound", 7.53, 8.25),
        PaperResult("1", "Mix-Localize", 7.17, 7.65),
        PaperResult("1", "Ours (AV)", 8.16, 8.48),
        PaperResult("1", "Ours", 38.34, 38.43),
    ),
}
"""By name of the data set."""

PAPER_STRATA: Mapping[str, Mapping[tuple[str, str], str]] = {
    "epic_cs3": {
        ("audio duration", "< 1 s"): "about 40",
        ("audio duration", "3-5 s"): "about 45",
        ("objects", "one"): "36.68",
        ("objects", "two"): "40.21",
        ("object size", "< 0.5 %"): "44.69",
    },
}
"""mIoU of Ours by stratum and label, by name of the data set: Figs. 6 to 8 as far as text and labels say numbers."""


def paper_cell(data_set: str, row: str, tables: Sequence[str]) -> str:
    """mIoU / AUC of a row in one of these tables, in italics: reported, not measured. Empty if there is none."""
    matching = [found for found in PAPER_RESULTS.get(data_set, ()) if found.row == row and found.table in tables]
    return f"*{matching[0].miou:.2f} / {matching[0].auc:.2f}*" if matching else ""
