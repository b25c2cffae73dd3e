"""Options that the commands of several stages have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataFolder = Annotated[Path, typer.Option("--data", help="Folder of Sim-CS3 (python -m training.simulation make).")]
DataFolders = Annotated[
    list[Path], typer.Option("--data", help="Folder of Sim-CS3; given more than once, all are learned from.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Batches.")]
LearningRate = Annotated[float, typer.Option("--learning-rate", min=0, help="Peak learning rate.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Fixes weights and batches.")]
Validation = Annotated[Path | None, typer.Option("--validation", help="Folder whose split val is measured at the end.")]
Debug = Annotated[bool, typer.Option("--debug", help="Tiny networks, to try the command.")]
