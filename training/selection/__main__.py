"""Trains the learned selection: ``python -m training.selection collect|fit``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from cs3_model.build import build_pipeline, load_preset, select_device
from cs3_model.files import write_whole
from cs3_model.moment.selection import LearnedSelection, save_selection
from cs3_model.provenance import source_commit
from training.data import DataSpec, open_data_set
from training.selection.collect import collect_events, folder_of
from training.selection.fit import FitConfig, calibrate, fit, lessons_of
from training.selection.scores import score_selection
from training.selection.selection_events import SelectionEvent, read_event

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command()
def collect(
    events: Annotated[Path, typer.Argument(help="Folder for what is proposed.")],
    data: Annotated[
        list[str],
        typer.Option(metavar="NAME:PATH:SPLIT", help="Samples with the frames around the onset; once per split."),
    ],
    preset: Annotated[str, typer.Option(help="Who proposes.")] = "micro",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Keeps what a preset proposes on every sample; goes on where it stopped."""
    data_sets = [open_data_set(DataSpec.parse(text, default_split=None)) for text in data]
    pipeline = build_pipeline(load_preset(preset), device=select_device(device))
    for data_set in data_sets:
        count = collect_events(data_set, pipeline, events)
        typer.echo(f"{data_set.name}:{data_set.split}: {count} new events")


@app.command("fit")
def fit_command(
    events: Annotated[Path, typer.Argument(help="Folder that `collect` filled.")],
    out: Annotated[Path, typer.Option(help="Weights to write, .safetensors; their scores go beside them.")],
    train: Annotated[list[str], typer.Option(metavar="NAME:SPLIT", help="Events to learn from.")],
    validation: Annotated[list[str], typer.Option(metavar="NAME:SPLIT", help="Events to calibrate on.")],
    held_back: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of a split that is in both, its end, for calibration.")
    ] = 0.25,
    test: Annotated[list[str], typer.Option(metavar="NAME:SPLIT", help="Events to score.")] = [],
    draws: Annotated[int, typer.Option(min=0, help="Corrupted draws of every event.")] = FitConfig().draws,
    epochs: Annotated[int, typer.Option(min=1, help="Times that every draw is seen.")] = FitConfig().epochs,
    networks: Annotated[int, typer.Option(min=1, help="Networks that vote, each of its own seed.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Fixes weights, order and corruption.")] = 0,
) -> None:
    """Trains on events, calibrates, and scores."""
    torch.set_num_threads(1)
    learned, kept_back = [], {}
    for name in dict.fromkeys([*train, *validation]):
        known = _read(events, name)
        num_learned = len(known) if name in train else 0
        if name in train and name in validation:
            num_learned -= round(held_back * len(known))
        learned += known[:num_learned]
        if unheard := known[num_learned:]:
            kept_back[name] = lessons_of(unheard, 0, np.random.default_rng(seed))
    config = FitConfig(draws=draws, epochs=epochs)
    lessons = lessons_of(learned, draws, np.random.default_rng(seed))
    voters = [fit(lessons, config, seed + index) for index in range(networks)]
    fitted = calibrate(voters, [lesson for name in kept_back for lesson in kept_back[name]])
    selection = LearnedSelection(voters, calibration=fitted, name="selection")
    scores = {f"{name}, calibrated on": asdict(score_selection(selection, kept_back[name])) for name in kept_back}
    for name in test:
        scores[name] = asdict(score_selection(selection, lessons_of(_read(events, name), 0, np.random.default_rng(0))))
    about = {"commit": source_commit(), "calibration": asdict(fitted), "events": len(learned), "scores": scores}
    save_selection(out, voters, fitted)
    write_whole(out.with_suffix(".json"), json.dumps(about, indent=1).encode())
    typer.echo(json.dumps(scores, indent=1))


def _read(events: Path, name: str) -> list[SelectionEvent]:
    folder = folder_of(events, name)
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise ValueError(
            f"{folder} has no events of {name}: python -m training.selection collect {events} --data NAME:PATH:SPLIT"
        )
    return [read_event(path) for path in paths]


def main() -> int:
    """Runs the command; returns its exit status."""
    try:
        app()
    except ValueError as error:
        print(f"training.selection: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
