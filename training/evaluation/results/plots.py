"""Pictures of results: mIoU by stratum, success curves, and a sheet of examples."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cs3_model.files import write_whole
from cs3_model.metrics import IOU_THRESHOLDS, success_curve
from cs3_model.types import BoolMask, UInt8Image
from training.evaluation.results.summary import RowSummary
from training.evaluation.row import Row
from training.evaluation.runner import Evaluation, Example

_PANEL_COLUMNS = 3
_MOST_LABELS = 12
_TRUE_COLOUR = (0, 220, 130)
_FOUND_COLOURS = ((255, 150, 0), (90, 150, 255))
_TILE_INCHES = 2.4


def write_plots(folder: Path, summaries: Sequence[RowSummary], evaluation: Evaluation) -> list[Path]:
    """Writes the pictures that the results allow as PNG files, and returns their paths."""
    scored = [summary for summary in summaries if summary.overall is not None]
    figures: dict[str, Figure] = {}
    if scored:
        figures["success_curves.png"] = _success_curves(scored, evaluation)
        figures["miou_by_stratum.png"] = _strata(scored)
    if evaluation.examples:
        figures["examples.png"] = _examples(evaluation.examples, evaluation.rows)
    for name, figure in figures.items():
        FigureCanvasAgg(figure)  # no pyplot: no display, and no state that outlives this call
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=110)
        write_whole(folder / name, picture.getbuffer())
    return [folder / name for name in figures]


def _success_curves(summaries: Sequence[RowSummary], evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(8.5, 5), layout="constrained")
    axes = figure.add_subplot()
    for index, summary in enumerate(summaries):
        if summary.overall is None:  # no sample of the row has a true mask
            continue
        ious = [record.score.iou for record in evaluation.records[summary.row.name] if record.score is not None]
        label = f"{summary.row.label}: AUC {100 * summary.overall.auc.mean:.1f}"
        axes.plot(IOU_THRESHOLDS, 100 * success_curve(ious), "o-", ms=3, color=_colour(index), label=label)
    axes.set(xlabel="IoU of the sample at least", ylabel="samples, %", xlim=(0, 1), ylim=(0, 102))
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    return figure


def _strata(summaries: Sequence[RowSummary]) -> Figure:
    strata = list(summaries[0].strata)
    num_lines = math.ceil(len(strata) / _PANEL_COLUMNS)
    figure = Figure(figsize=(5 * _PANEL_COLUMNS, 3.4 * num_lines + 0.8), layout="constrained")
    panels = list(figure.subplots(num_lines, _PANEL_COLUMNS, squeeze=False).flat)
    for stratum, axes in zip(strata, panels, strict=False):  # the last line of panels may not be full
        _stratum_panel(axes, stratum, summaries)
    for axes in panels[len(strata) :]:
        axes.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _stratum_panel(axes: Axes, stratum: str, summaries: Sequence[RowSummary]) -> None:
    """Bars with intervals; of many labels the commonest are shown."""
    counts = {label: score.num_samples for label, score in summaries[0].strata[stratum].items()}
    common = sorted(counts, key=counts.__getitem__, reverse=True)[:_MOST_LABELS]
    labels = [label for label in counts if label in common]
    width = 0.8 / len(summaries)
    for index, summary in enumerate(summaries):
        estimates = [summary.strata[stratum][label].iou for label in labels]
        means = np.array([estimate.mean for estimate in estimates])
        reach = np.abs([[e.mean - e.low for e in estimates], [e.high - e.mean for e in estimates]])
        axes.bar(
            np.arange(len(labels)) + (index - (len(summaries) - 1) / 2) * width,
            100 * means,
            width,
            yerr=100 * reach,
            color=_colour(index),
            error_kw={"lw": 0.7, "alpha": 0.7},
            label=summary.row.label,
        )
    is_long = max(map(len, labels)) * len(labels) > 45
    ticks = [f"{label}\nn={counts[label]}" if not is_long else f"{label} ({counts[label]})" for label in labels]
    axes.set_xticks(
        range(len(labels)), ticks, fontsize=8, rotation=30 if is_long else 0, ha="right" if is_long else "center"
    )
    hidden = len(counts) - len(labels)
    axes.set_title(f"{stratum}, {len(labels)} commonest of {len(counts)}" if hidden else stratum, fontsize=10)
    axes.set_ylabel("mIoU, %")
    axes.grid(axis="y", alpha=0.3)


def _examples(examples: Sequence[Example], rows: Sequence[Row]) -> Figure:
    num_columns = 1 + len(rows)
    shapes = [example.image.shape for example in examples]
    heights = [_TILE_INCHES * height / width + 0.35 for height, width, _ in shapes]
    figure = Figure(figsize=(_TILE_INCHES * num_columns, sum(heights)), layout="constrained")
    grid = figure.subplots(len(examples), num_columns, squeeze=False, height_ratios=heights)
    for example, line in zip(examples, grid, strict=True):
        _tile(line[0], example.image, example.true_masks, [_TRUE_COLOUR] * 2, f"truth: {example.sample_id}")
        for row, axes in zip(rows, line[1:], strict=True):
            found = [candidate.mask for candidate in example.results[row.name].masks]
            _tile(axes, example.image, found, _FOUND_COLOURS, row.label)
    return figure


def _tile(
    axes: Axes, image: UInt8Image, masks: Sequence[BoolMask], colours: Sequence[tuple[int, int, int]], title: str
) -> None:
    canvas = image.copy()
    thickness = max(1, image.shape[1] // 250)
    for mask, colour in zip(masks, colours, strict=False):
        canvas[mask] = (0.5 * canvas[mask] + 0.5 * np.array(colour)).astype(np.uint8)
        contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, contours, -1, colour, thickness, cv2.LINE_AA)
    axes.imshow(canvas)
    axes.set_title(textwrap.fill(title if masks else f"{title}: no mask", 36), fontsize=7)
    axes.set_axis_off()


def _colour(index: int) -> tuple[float, float, float, float]:
    return colormaps["tab20"](index % 20)
