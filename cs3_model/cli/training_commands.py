"""The commands of the package `training`, which is not installed: it runs from the checkout.

`training` is also the name of a top-level package in another wheel (that of SAM 2), so an installed one could be
anybody's. Only the folder beside `cs3_model` is ours. It is imported when one of its commands runs.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import typer

import cs3_model

_MODULES = {
    "extract": ("training.extract", "Take clips and sound out of the videos of real data, for training."),
    "train": ("training.train", "Train on pairs of picture and sound."),
    "evaluate": ("training.evaluate", "Score methods on a data set."),
    "tables": ("training.tables", "Make the page of results."),
    "simulate": ("training.simulation", "Make and check the simulated data set Sim-CS3."),
}


def add_commands(app: typer.Typer) -> None:
    """Adds a command for each of these modules; it hands on all its arguments, --help among them."""
    for command, (module, summary) in _MODULES.items():
        settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
        app.command(command, help=f"{summary} Needs a checkout.", context_settings=settings)(_runner(command, module))


def training_folder() -> Path:
    """The folder of our `training`.

    Raises:
        ValueError: if Python does not find it, or finds another package of this name: one line that says what to do.
    """
    ours = Path(cs3_model.__file__).resolve().parents[1] / "training"
    remedy = "it is not installed but runs from a checkout: cd CHECKOUT && scripts/run cs3"
    spec = importlib.util.find_spec("training")
    if spec is None:
        raise ValueError(f"there is no package training here; {remedy}")
    places = [Path(place).resolve() for place in spec.submodule_search_locations or ()]
    if places != [ours]:
        found = ", ".join(map(str, places)) or spec.origin
        raise ValueError(f"found another package of the name training, {found}; {remedy}")
    return ours


def _runner(command: str, module: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        try:
            training_folder()
        except ValueError as error:
            typer.echo(f"cs3 {command}: {error} {command}", err=True)
            raise typer.Exit(2) from None
        sys.argv = [f"cs3 {command}", *context.args]
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return run
