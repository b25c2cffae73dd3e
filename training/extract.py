"""Takes out of whole videos what training reads of them: clips of the collisions, and the sound.

python -m training.extract --data epic_cs3:/data/epic --workers 16
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cs3_model.command_errors import one_line_errors
from training.data import REAL_SETS, DataSpec
from training.data.extraction import extract_all, plan_extraction
from training.evaluation.incomplete import refuse


def main(
    data: Annotated[str, typer.Option(metavar="NAME:PATH[:SPLIT]", help=f"{' or '.join(REAL_SETS)}; split train.")],
    height: Annotated[
        int,
        typer.Option(min=0, help="Of the clips of train, pixels; 0: as the videos, as other splits. Networks see 352."),
    ] = 400,
    workers: Annotated[int, typer.Option(min=1, help="Videos at once.")] = os.cpu_count() or 1,
) -> None:
    """Write clips/ID.mp4 and audio/VIDEO.wav; what is there already is left as it is.

    Exit code 1: some could not be made; 2: bad input.
    """
    with one_line_errors(status=2):
        spec = DataSpec.parse(data, default_split="train")
        if spec.name not in REAL_SETS:
            raise ValueError(f"--data must be of {' or '.join(REAL_SETS)}, got '{spec.name}'")
        # What is scored is scored at its own resolution.
        clip_height = height if spec.split == "train" else 0
        tasks, missing = plan_extraction(REAL_SETS[spec.name], spec.root, spec.split, clip_height)
    failures: list[str] = []
    with typer.progressbar(length=len(tasks), label="videos", file=sys.stderr) as bar:
        for failed in extract_all(tasks, workers):
            failures += failed
            bar.update(1)
    typer.echo(f"{len(tasks)} videos, {sum(len(task.clips) for task in tasks)} clips, {len(failures)} failed", err=True)
    refuse([*missing, *failures], "missing or not made", allow_skipped=True)
    if missing or failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
