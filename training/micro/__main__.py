"""All stages of `micro` and of the rows of its results; the same command goes on where an interruption ended it.

python -m training.simulation make data/sim_cs3 --splits train val --only-at-onset
python -m training.micro --data data/sim_cs3 --out out/micro
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cs3_model.command_errors import one_line_errors
from training.micro.stages import StagePlan, run_stages, stages_of


def main(
    data: Annotated[Path, typer.Option(help="Folder of Sim-CS3 with the splits train and val.")],
    out: Annotated[Path, typer.Option(help="Folder; micro-seed0.safetensors and the like end up in it.")],
    hits: Annotated[int, typer.Option(help="Impact sounds without pictures, a multiple of 500.")] = 50_000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of the heard stage, with the seeds 0, 1, ...")] = 3,
    steps: Annotated[int, typer.Option(min=0, help="Batches of every stage that trains; 0: as many as it says.")] = 0,
    debug: Annotated[bool, typer.Option("--debug", help="Tiny networks and batches, to try the command.")] = False,
) -> None:
    """Make sounds, train audio encoder, vision network and what is between them, then the rows that `training.tables` compares with."""
    with one_line_errors(status=1):
        stages = stages_of(StagePlan(data=data, out=out, hits=hits, seeds=seeds, steps=steps, debug=debug))
        code = run_stages(stages, out)
    if code:
        raise typer.Exit(code)
    typer.echo(f"next: {tables_command(out, seeds)}", err=True)


def tables_command(out: Path, seeds: int) -> str:
    """The command that makes the page of results from these weights."""
    files = [f"--weights {shlex.quote(str(out / f'micro-seed{seed}.safetensors'))}" for seed in range(seeds)]
    files += [
        f"--{row} {shlex.quote(str(out / f'{row}-seed0.safetensors'))}" for row in ("no-audio", "weak", "mixture")
    ]
    return f"python -m training.tables --data sim_cs3:FOLDER {' '.join(files)}"


if __name__ == "__main__":
    typer.run(main)
