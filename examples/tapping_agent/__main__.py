"""Command line: one episode, in words and as a video, or the evaluation.

    scripts/run python -m examples.tapping_agent episode --seed 3 --video episode.mp4
    scripts/run python -m examples.tapping_agent evaluate --tables 100

Both start a perception node of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cs3_model.command_errors import one_line_errors
from cs3_ros.client import CollisionClient
from examples.tapping_agent.episode import run_episode
from examples.tapping_agent.evaluate import evaluate, plot, read_rows, table_of
from examples.tapping_agent.pictures import robot_camera
from examples.tapping_agent.robot import perception_graph
from examples.tapping_agent.table import lay_table
from examples.tapping_agent.video import write_video
from training.simulation.rendering.renderer_process import RendererProcess

PICTURE_HW = (352, 352)
_PATIENCE_S = 60.0
app = typer.Typer(add_completion=False, help="A robot that finds the metal one among look-alikes by tapping.")
TapsOption = Annotated[int, typer.Option(help="Taps per look-alike.", min=1)]
SpeedOption = Annotated[float, typer.Option(help="Speed of the robot's time; 1 is real time.", min=0.1)]
RendererOption = Annotated[str, typer.Option(help="filament or classic.")]


@app.command("episode")
def episode_command(
    seed: Annotated[int, typer.Option(help="Of the table.")] = 0,
    microphone: Annotated[str, typer.Option(help="on, off or swapped.")] = "on",
    taps: TapsOption = 2,
    speed: SpeedOption = 1.0,
    renderer: RendererOption = "filament",
    video: Annotated[Path | None, typer.Option(help="MP4 to write.")] = None,
) -> None:
    """Run one episode and say what the agent heard and chose."""
    with one_line_errors("tapping_agent", status=1, kinds=(ValueError, RuntimeError)):
        table, pictures = lay_table(seed), RendererProcess(renderer, PICTURE_HW)
        with (
            robot_camera(table, pictures, seed) as camera,
            perception_graph(speed=speed) as topics,
            CollisionClient(patience_s=_PATIENCE_S) as client,
        ):
            episode = run_episode(seed, table, camera, topics, client, microphone=microphone, num_taps=taps)
            if video is not None:
                write_video(episode, camera, seed, microphone, video)
    names = ", ".join(sample.material for sample in episode.samples)
    for index, shares in enumerate(episode.shares):
        typer.echo(f"look-alike {index + 1} sounds like the samples of {names} by {shares.round(2).tolist()}")
    chosen = episode.chosen["metal"]
    typer.echo(f"the metal one: number {chosen + 1}, which is of {table.materials[chosen]}")


@app.command("evaluate")
def evaluate_command(
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
        out.parent.mkdir(parents=True, exist_ok=True)
        with perception_graph(speed=speed) as topics, CollisionClient(patience_s=_PATIENCE_S) as client:
            pictures = RendererProcess(renderer, PICTURE_HW)
            evaluate(range(first, first + tables), out, pictures, topics, client, num_taps=taps)
        rows = read_rows(out)
        typer.echo(table_of(rows))
        if plot_path is not None:
            plot(rows, plot_path)


if __name__ == "__main__":
    sys.exit(app())
