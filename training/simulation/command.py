"""Command line of the simulated world: ``python -m training.simulation make|clip|sheet|check``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cs3_model.command_errors import one_line_errors
from training.simulation.dataset.generation_plan import GenerationPlan, SampleFormat
from training.simulation.rendering.renderers import RENDERERS
from training.simulation.scenario.difficulty import LEVELS
from training.simulation.scenario.splits import SPLITS, TINY, split_named

DataSetFolder = Annotated[Path, typer.Argument(help="Folder of the data set.")]
Splits = Annotated[
    list[str] | None, typer.Option(metavar="SPLIT ...", help=f"Only these of {', '.join(SPLITS)} (default: all).")
]
Workers = Annotated[int, typer.Option(help="Number of processes; 0: all cores.")]
Width = Annotated[int, typer.Option(help="Width of the pictures.")]
Height = Annotated[int, typer.Option(help="Height of the pictures.")]
Rate = Annotated[int, typer.Option(help="Sample rate, 16000 or 48000.")]
Level = Annotated[str | None, typer.Option(help=f"One of {', '.join(LEVELS)} for all (default: a mixture).")]
Renderer = Annotated[str, typer.Option(help=f"One of {', '.join(RENDERERS)}.")]

app = typer.Typer(
    help="The simulated collision world.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


class _SeveralSplits(TyperCommand):
    """Reads ``--splits A B`` as ``--splits A --splits B``, which is all that click knows."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spelled: list[str] = []
        in_splits = False
        for arg in args:
            if arg == "--splits":
                in_splits = True
            elif arg.startswith("-"):
                in_splits = False
                spelled.append(arg)
            else:
                spelled += ["--splits", arg] if in_splits else [arg]
        return super().parse_args(ctx, spelled)


@app.command(cls=_SeveralSplits)
def make(
    folder: DataSetFolder,
    tiny: Annotated[bool, typer.Option("--tiny", help=f"A small version of {sum(TINY.values())} samples.")] = False,
    splits: Splits = None,
    size: Annotated[list[str] | None, typer.Option(metavar="SPLIT=NUMBER", help="Another size of a split.")] = None,
    workers: Workers = 0,
    only_at_onset: Annotated[
        bool, typer.Option("--only-at-onset", help="Only the picture that the masks belong to.")
    ] = False,
    keep_clean: Annotated[
        bool, typer.Option("--keep-clean", help="Keep the sound without background as well.")
    ] = False,
    width: Width = 352,
    height: Height = 352,
    rate: Rate = 16_000,
    level: Level = None,
    renderer: Renderer = "filament",
) -> None:
    """Generate Sim-CS3, or go on with it."""
    from training.simulation.dataset.generate import generate

    with _one_line_errors():
        form = _sample_format(width, height, rate, level, only_at_onset=only_at_onset)
        sizes = _sizes(tiny, splits, size or [])
        plan = GenerationPlan(
            root=folder, sizes=sizes, form=form, workers=workers, renderer=renderer, keep_clean=keep_clean
        )
        made = generate(plan)
    listed = ", ".join(f"{name} {number}" for name, number in sizes.items())
    typer.echo(f"{folder}: {made} new samples, {sum(sizes.values())} in all ({listed})")


@app.command()
def clip(
    folder: Annotated[Path, typer.Argument(help="Folder of the clip.")],
    seed: Annotated[int, typer.Option(help="Fixes the clip.")] = 0,
    seconds: Annotated[float, typer.Option(help="10 to 60 for a clip to evaluate.")] = 10.0,
    fps: Annotated[float, typer.Option(help="Pictures per second, 15 to 30.")] = 15.0,
    width: Width = 352,
    height: Height = 352,
    rate: Rate = 16_000,
    level: Level = None,
    renderer: Renderer = "filament",
    all_ids: Annotated[bool, typer.Option("--all-ids", help="Write the id maps of all frames.")] = False,
    off_screen: Annotated[int, typer.Option(help="Impacts of objects out of sight, at most.")] = 0,
) -> None:
    """Generate one video clip with several collisions."""
    from training.simulation.dataset.clips import ClipPlan, make_clip

    with _one_line_errors():
        form = _sample_format(width, height, rate, level)
        plan = ClipPlan(
            duration_s=seconds, fps=fps, form=form, renderer=renderer, all_ids=all_ids, off_screen=off_screen
        )
        truth = make_clip(seed, plan, folder)
    unseen = f", {len(truth.sound.off_screen_s)} out of sight" if off_screen else ""
    typer.echo(f"{folder}: {truth.num_frames} frames, {len(truth.collisions)} collisions{unseen}")


@app.command()
def sheet(
    folder: DataSetFolder,
    picture: Annotated[Path, typer.Argument(help="PNG to write.")],
    split: Annotated[str, typer.Option(help=f"One of {', '.join(SPLITS)}.")] = "train",
    count: Annotated[int, typer.Option(help="How many samples.")] = 24,
    pairs: Annotated[bool, typer.Option("--pairs", help="Both samples of each scene side by side.")] = False,
) -> None:
    """Draw a sheet of samples with their truth."""
    from training.simulation.dataset.contact_sheet import write_sheet

    with _one_line_errors():
        write_sheet(folder, split, picture, count, pairs=pairs)
    typer.echo(picture)


@app.command(cls=_SeveralSplits)
def check(
    folder: DataSetFolder,
    splits: Splits = None,
    samples: Annotated[int, typer.Option(help="How many, spread over the splits.")] = 500,
    workers: Workers = 0,
) -> None:
    """Check labels on disk against pictures, physics and sound; fail on any violation."""
    from training.simulation.validation.check import check as check_data_set

    with _one_line_errors():
        report = check_data_set(folder, splits, samples, workers)
    typer.echo(report.table())
    for violation in report.violations:
        typer.echo(f"- {violation}")
    if report.violations:
        raise typer.Exit(1)


def _sizes(tiny: bool, splits: list[str] | None, changes: list[str]) -> dict[str, int]:
    """Number of samples by split."""
    sizes = dict(TINY) if tiny else {name: split.num_samples for name, split in SPLITS.items()}
    if splits:
        for name in splits:
            split_named(name)
        sizes = {name: sizes[name] for name in splits}
    for change in changes:
        name, _, number = change.partition("=")
        split_named(name)
        if not number.isdigit():
            raise ValueError(f"--size must be SPLIT=NUMBER, got {change!r}")
        sizes[name] = int(number)
    return sizes


def _sample_format(
    width: int, height: int, rate_hz: int, level: str | None, *, only_at_onset: bool = False
) -> SampleFormat:
    return SampleFormat(
        size_hw=(height, width),
        rate_hz=rate_hz,
        level=level,
        only_at_onset=only_at_onset,
    )


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turns what may go wrong into one line and an exit status; progress notes go to the terminal meanwhile."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with one_line_errors(
        "training.simulation",
        status=1,
        kinds=(ValueError, RuntimeError, OSError),
        interrupted="stopped; the same command goes on from here",
    ):
        yield
