"""Command line: one episode, in words and for bowls as a video, or the evaluation.

    scripts/run python -m examples.tapping_agent episode --seed 3 --video episode.mp4
    scripts/run python -m examples.tapping_agent evaluate --tables 100
    scripts/run python -m examples.tapping_agent evaluate --tables 100 --look-alikes jars --out out/jars.csv

Both start a perception node of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cs3_model.command_errors import one_line_errors
from cs3_ros.client import CollisionClient
from examples.tapping_agent.episode import run_episode
from examples.tapping_agent.evaluate import evaluate, plot, read_rows, table_of
from examples.tapping_agent.jars import lay_jars
from examples.tapping_agent.pictures import robot_camera
from examples.tapping_agent.robot import perception_graph
from examples.tapping_agent.table import TappingTable, lay_bowls
from examples.tapping_agent.video import write_video
from training.simulation.rendering.renderer_process import RendererProcess

PICTURE_HW = (352, 352)
_PATIENCE_S = 60.0
_TABLES = {"bowls": lay_bowls, "jars": lay_jars}
app = typer.Typer(add_completion=False, help="A robot that tells look-alikes apart by tapping.")
LookAlikesOption = Annotated[
    str,
    typer.Option("--look-alikes", help="bowls, of which one is of metal, or jars, of which one is full and one loose."),
]
TapsOption = Annotated[int, typer.Option(help="Taps per look-alike.", min=1)]
SpeedOption = Annotated[float, typer.Option(help="Speed of the robot's time; 1 is real time.", min=0.1)]
RendererOption = Annotated[str, typer.Option(help="filament or classic.")]


@app.command("episode")
def episode_command(
    seed: Annotated[int, typer.Option(help="Of the table.")] = 0,
    look_alikes: LookAlikesOption = "bowls",
    microphone: Annotated[str, typer.Option(help="on or off.")] = "on",
    taps: TapsOption = 2,
    speed: SpeedOption = 1.0,
    renderer: RendererOption = "filament",
    video: Annotated[Path | None, typer.Option(help="MP4 to write.")] = None,
) -> None:
    """Run one episode and say what the agent heard and chose."""
    with one_line_errors("tapping_agent", status=1, kinds=(ValueError, RuntimeError)):
        if video is not None and look_alikes != "bowls":
            raise ValueError("--video shows how much bowls sound like metal: leave it out for jars")
        table, pictures = _table_layer(look_alikes)(seed), RendererProcess(renderer, PICTURE_HW)
        with (
            robot_camera(table, pictures, seed) as camera,
            perception_graph(speed=speed) as topics,
            CollisionClient(patience_s=_PATIENCE_S) as client,
        ):
            episode = run_episode(seed, table, camera, topics, client, microphone=microphone, num_taps=taps)
            if video is not None:
                write_video(episode, camera, seed, microphone, video)
    names = ", ".join(sample.material for sample in episode.samples)
    evidence = episode.evidence
    for index, (shares, num_sounds) in enumerate(zip(evidence.shares, evidence.num_sounds, strict=True)):
        likeness = f"like the samples of {names} by {shares.round(2).tolist()}"
        typer.echo(f"look-alike {index + 1} sounds {likeness}, {num_sounds:g} times per tap")
    for kind, chosen in episode.chosen.items():
        typer.echo(f"the {kind} one: number {chosen + 1}, which is {table.kinds[chosen]}")


@app.command("evaluate")
def evaluate_command(
    look_alikes: LookAlikesOption = "bowls",
    tables: Annotated[int, typer.Option(help="How many tables.", min=1)] = 100,
    first: Annotated[int, typer.Option(help="Seed of the first.")] = 0,
    out: Annotated[Path, typer.Option(help="CSV file; tables that it holds are not run again.")] = Path(
        "out/tapping_agent.csv"
    ),
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the plot.")] = None,
    taps: TapsOption = 2,
    speed: SpeedOption = 20.0,
    renderer: RendererOption = "filament",
) -> None:
    """Run many tables in all conditions and print the figures."""
    with one_line_errors("tapping_agent", status=1, kinds=(ValueError, RuntimeError)):
        lay = _table_layer(look_alikes)
        out.parent.mkdir(parents=True, exist_ok=True)
        with perception_graph(speed=speed) as topics, CollisionClient(patience_s=_PATIENCE_S) as client:
            pictures = RendererProcess(renderer, PICTURE_HW)
            evaluate(lay, range(first, first + tables), out, pictures, topics, client, num_taps=taps)
        rows = read_rows(out)
        typer.echo(table_of(rows))
        if plot_path is not None:
            plot(rows, plot_path)


def _table_layer(look_alikes: str) -> Callable[[int], TappingTable]:
    if look_alikes not in _TABLES:
        raise ValueError(f"--look-alikes must be one of {', '.join(_TABLES)}, got {look_alikes!r}")
    return _TABLES[look_alikes]


if __name__ == "__main__":
    sys.exit(app())
