"""Draws what the training loop writes down."""

from __future__ import annotations

import csv
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw_curves(folder: Path) -> Path:
    """Draws ``curves.csv`` of a run, one line per part of the loss; returns the path of ``curves.png``.

    Raises:
        OSError: if there is no such file.
    """
    with (folder / "curves.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(6.0, 3.5), layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: no display, and no state that outlives this call
    axes = figure.subplots()
    for name in (name for name in rows[0] if name != "step"):
        axes.plot([int(row["step"]) for row in rows], [float(row[name]) for row in rows], label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    figure.legend(loc="outside right upper")
    path = folder / "curves.png"
    figure.savefig(path, dpi=120)
    return path
