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
from training.selection.collect import FILMED, collect_split
from training.selection.fit import FitConfig, calibrate, fit, lessons_of
from training.selection.scores import score_selection
from training.selection.selection_events import SelectionEvent, read_event

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command()
def collect(
    data: Annotated[Path, typer.Argument(help="Folder of Sim-CS3, with the frames around the onset.")],
    events: Annotated[Path, typer.Argument(help="Folder for what is proposed.")],
    split: Annotated[
        list[str],
        typer.Option(help=f"Splits to look at; once per split. {FILMED}SPLIT: as other cameras film them."),
    ],
    preset: Annotated[str, typer.Option(help="Who proposes.")] = "micro",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Keeps what a preset proposes on every sample; goes on where it stopped."""
    pipeline = build_pipeline(load_preset(preset), device=select_device(device))
    for name in split:
        typer.echo(f"{name}: {collect_split(data, name, pipeline, events)} new events")


@app.command("fit")
def fit_command(
    events: Annotated[Path, typer.Argument(help="Folder that `collect` filled.")],
    out: Annotated[Path, typer.Option(help="Weights to write, .safetensors; their scores go beside them.")],
    train: Annotated[list[str], typer.Option(help="Splits to learn from.")],
    validation: Annotated[list[str], typer.Option(help="Splits to calibrate on.")] = ["val"],
    held_back: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of a split that is in both, its end, for calibration.")
    ] = 0.25,
    test: Annotated[list[str], typer.Option(help="Splits to score.")] = [],
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


def _read(events: Path, split: str) -> list[SelectionEvent]:
    paths = sorted((events / split).glob("*.npz"))
    if not paths:
        raise ValueError(
            f"{events / split} has no events: python -m training.selection collect DATA {events} --split {split}"
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
