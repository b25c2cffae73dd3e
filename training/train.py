"""Trains the audio part of a preset by the paper's weakly supervised losses.

python -m training.train --preset foundation --recipe epic_cs3 --data epic_cs3:/data/epic --out out/epic
torchrun --nproc-per-node 4 -m training.train --preset foundation --recipe epic_cs3 --data epic_cs3:/data/epic
"""

from __future__ import annotations

import enum
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cs3_model.command_errors import one_line_errors
from cs3_model.placement import Precision
from training.data import READERS, DataSpec, open_data_set
from training.data.samples import DataSet
from training.loop.distributed import ProcessLostError
from training.loop.trainer import LoopConfig, RunStoppedError
from training.weak.recipe import Recipe, load_recipe, recipe_names
from training.weak.run import RunSettings, train

_SHOWN = 20
_DEFAULT_WORKERS = min(8, os.cpu_count() or 1)


class Unreadable(str, enum.Enum):
    """What to do about samples whose files are missing or broken."""

    STOP = "stop"
    REPLACE = "replace"


def main(
    preset: Annotated[str, typer.Option(help="Preset to train for: foundation, debug, or a .yaml file.")],
    recipe: Annotated[str, typer.Option(help=f"Hyperparameters: {', '.join(recipe_names())}, or a .yaml file.")],
    data: Annotated[
        str, typer.Option(metavar="NAME:PATH[:SPLIT]", help=f"Data; split train by default. {', '.join(READERS)}.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("out/training"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint in --out, if any.")
    ] = False,
    steps: Annotated[int, typer.Option(min=0, help="Instead of the recipe's; 0: the recipe's.")] = 0,
    batch_size: Annotated[
        int, typer.Option(min=0, help="Of all processes, instead of the recipe's; 0: the recipe's.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Fixes initial weights, order, times and noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[Precision, typer.Option(help="bfloat16: autocast; auto: that on CUDA.")] = Precision.AUTO,
    recompute: Annotated[bool, typer.Option("--recompute", help="Takes less memory and more time.")] = False,
    max_pairs: Annotated[int, typer.Option(min=1, help="Image-sound pairs decoded at once.")] = 256,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read data; 0: none but this.")] = _DEFAULT_WORKERS,
    unreadable: Annotated[Unreadable, typer.Option(help="Samples with missing or broken files.")] = Unreadable.STOP,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 1000,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between points in TensorBoard.")] = 10,
    max_skipped_steps: Annotated[int, typer.Option(min=0, help="Steps with NaN or infinity allowed.")] = 100,
) -> None:
    """Train on pairs of picture and sound. Exit code 1: the run had to stop; 2: bad input."""
    command = {name: str(value) if isinstance(value, Path) else value for name, value in locals().items()}
    logging.basicConfig(format="%(message)s")
    stops = (RunStoppedError, ProcessLostError)
    with one_line_errors(status=2), one_line_errors("stopped", status=1, kinds=stops):
        settings = RunSettings(
            preset=preset, recipe=_recipe(recipe, steps, batch_size), out=out, resume=resume, seed=seed, device=device,
            precision=precision, recompute=recompute, max_pairs=max_pairs, workers=workers,
            replace_unreadable=unreadable is Unreadable.REPLACE,
            loop=LoopConfig(
                checkpoint_every=checkpoint_every, log_every=log_every, max_skipped_steps=max_skipped_steps
            ),
        )  # fmt: skip
        data_set = _open(data)
        _tell_missing(data_set, settings.replace_unreadable)
        progress, weights = train(settings, data_set, command)
    if weights is not None:
        skipped = f"{progress.skipped_steps} steps skipped, {progress.unreadable_samples} samples replaced"
        typer.echo(f"wrote {weights} and README.md after {progress.step} steps; {skipped}", err=True)


def _recipe(name: str, steps: int, batch_size: int) -> Recipe:
    recipe = load_recipe(name)
    return replace(recipe, steps=steps or recipe.steps, batch_size=batch_size or recipe.batch_size)


def _open(data: str) -> DataSet:
    data_set = open_data_set(DataSpec.parse(data, default_split="train"))
    return replace(data_set, samples=tuple(sample for sample in data_set.samples if not sample.is_silent))


def _tell_missing(data_set: DataSet, is_allowed: bool) -> None:
    """Lists what is not on this disk, and ends unless that is allowed."""
    missing = data_set.missing
    if not missing:
        return
    shown = [*missing[:_SHOWN], *([f"and {len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else [])]
    lines = [f"missing: {len(missing)}", *(f"  {line}" for line in shown)]
    lines += [f"looked for {place}" for place in data_set.places]
    typer.echo("\n".join(lines), err=True)
    if not is_allowed:
        raise ValueError("samples are missing; --unreadable replace trains on the others")


if __name__ == "__main__":
    typer.run(main)
