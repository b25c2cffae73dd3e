"""All stages of `micro`, one after another; the same command goes on where an interruption ended it.

python -m training.world make data/sim_cs3 --splits train val --only-at-onset
python -m training.micro --data data/sim_cs3 --out out/micro
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def main(
    data: Annotated[Path, typer.Option(help="Folder of Sim-CS3 with the splits train and val.")],
    out: Annotated[Path, typer.Option(help="Folder; micro.safetensors ends up in its subfolder heard.")],
    hits: Annotated[int, typer.Option(help="Impact sounds without pictures, a multiple of 500.")] = 50_000,
    seed: Annotated[int, typer.Option(min=0, help="Fixes weights and batches.")] = 0,
) -> None:
    """Make sounds, then train ear, eyes and what is between them."""
    eyes, ear = out / "vision", out / "audio.safetensors"
    train, val = f"sim_cs3:{data}:train", f"sim_cs3:{data}:val"
    stages = {
        "audio_hits": [out / "hits", "--count", hits],
        "train_audio": ["--hits", out / "hits", "--data", train, "--out", ear, "--evaluate", val, "--seed", seed],
        "train_vision": ["--data", data, "--out", eyes, "--validation", data, "--seed", seed],
        "train_heard": [
            "--data", data, "--vision", eyes / "vision.safetensors", "--audio", ear, "--out", out / "heard",
            "--validation", data, "--seed", seed,
        ],
    }  # fmt: skip
    for stage, arguments in stages.items():
        typer.echo(f"stage {stage}", err=True)
        done = subprocess.run([sys.executable, "-m", f"training.micro.{stage}", *map(str, arguments)])
        if done.returncode:
            raise typer.Exit(done.returncode)


if __name__ == "__main__":
    typer.run(main)
