"""Command line: evaluates bags and writes figures, masks, pictures and a report for each.

scripts/run python -m cs3_ros.evaluate_bag kitchen_bag --ground-truth /ground_truth/collision --out out/kitchen
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from tqdm import tqdm

from cs3_model.command_errors import one_line_errors
from cs3_model.files import write_whole_text
from cs3_ros.bringup.params_file import read_params_file
from cs3_ros.command_line import run_command
from cs3_ros.default_parameters import default_values
from cs3_ros.perception.parameters import override_values
from cs3_ros.replay.reading.ground_truth import is_truth_file
from cs3_ros.replay.running.batch import (
    BagOutcome,
    Task,
    evaluate_on_cluster,
    evaluate_one,
    evaluate_parallel,
    find_bags,
    name_bags,
    summarise,
)
from cs3_ros.replay.running.options import EvaluationOptions
from cs3_ros.viewers.rerun_log import import_rerun


def command(
    bags: Annotated[list[Path], typer.Argument(metavar="BAG...", help="Bags, or folders with bags in them.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; finished bags are skipped.")],
    ground_truth: Annotated[str, typer.Option(metavar="TOPIC|FILE", help="cs3_msgs/Collision, .jsonl or .csv.")] = "",
    preset: Annotated[str, typer.Option(help="Preset of the networks.", show_default="the node's")] = "",
    audio: Annotated[str, typer.Option(metavar="TOPIC", help="Topic of the sound, where there are several.")] = "",
    image: Annotated[str, typer.Option(metavar="TOPIC", help="Topic of the images, where there are several.")] = "",
    params_file: Annotated[Path | None, typer.Option(help="Parameter file of the perception node.")] = None,
    node: Annotated[str, typer.Option(help="For which node that file is.")] = "/perception",
    param: Annotated[
        list[str] | None, typer.Option("-p", "--param", metavar="NAME:=VALUE", help="One parameter.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play to the real node, and measure latency, CPU, memory.")
    ] = False,
    rate: Annotated[float, typer.Option(help="Speed of the live replay.")] = 1.0,
    correct_offset: Annotated[
        bool, typer.Option("--correct-offset", help="Shift the sound by the estimated offset and drift of its clock.")
    ] = False,
    no_video: Annotated[
        bool, typer.Option("--no-video", help="No overlay.mp4, which needs all images decoded.")
    ] = False,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Also write recording.rrd for Rerun (needs rerun-sdk).")
    ] = False,
    workers: Annotated[int, typer.Option(help="Bags at a time, or jobs of --cluster.")] = 1,
    cluster: Annotated[
        Literal["submitit"] | None, typer.Option(help="Run as jobs of SLURM, or of this machine.")
    ] = None,
) -> None:
    """Replay ROS 2 bags through the perception and write figures, masks, pictures and reports.

    The exit status is 0 if all bags are whole, 1 if not all are, 2 if nothing was done.
    """
    overrides = dict(map(_assignment, param or ()))
    if preset:
        overrides["preset"] = preset
    with one_line_errors(
        "evaluate_bag", status=2, interrupted="interrupted; the same command goes on with the bags that are left"
    ):
        tasks = name_bags(find_bags(bags))
        options = EvaluationOptions(
            values=_node_values(params_file, node, overrides),
            ground_truth=ground_truth,
            audio_topic=audio,
            image_topic=image,
            live=live,
            rate=rate,
            correct_offset=correct_offset,
            video=not no_video,
            rerun=rerun,
        )
        _check(tasks, options, workers=workers, on_cluster=cluster is not None)
        outcomes = _evaluate(tasks, out, options, workers=workers, on_cluster=cluster is not None)
        summary = summarise(outcomes)
        write_whole_text(out / "summary.json", json.dumps(summary, indent=1) + "\n")
    typer.echo(_table(outcomes, summary))
    files = ("report.html", *(() if no_video else ("overlay.mp4",)), "events.jsonl", "metrics.json")
    typer.echo(f"wrote {out}/summary.json, and for each bag {', '.join(files)}")
    if not all(outcome.is_whole for outcome in outcomes):
        raise typer.Exit(1)


def _assignment(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition(":=")
    if not separator or not name:
        raise typer.BadParameter(f"{text!r} is not of the form NAME:=VALUE", param_hint="--param")
    return name, yaml.safe_load(value)


def _node_values(params_file: Path | None, node: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """Values of the node's parameters."""
    values = default_values()
    if params_file is not None:
        values = override_values(values, read_params_file(params_file, node=node))
    return override_values(values, overrides)


def _check(tasks: Sequence[Task], options: EvaluationOptions, *, workers: int, on_cluster: bool) -> None:
    """What does not fit together."""
    if workers < 1:
        raise ValueError(f"--workers must be at least 1, got {workers}")
    if options.live and (workers > 1 or on_cluster):
        raise ValueError("--live measures latencies: one bag at a time, without --workers and --cluster")
    if options.rate != 1.0 and not options.live:
        raise ValueError("--rate is the speed of a live replay: add --live; offline replays are as fast as they can be")
    if options.rerun:
        import_rerun()
    if len(tasks) > 1 and options.ground_truth and is_truth_file(options.ground_truth):
        raise ValueError("a file of ground truth is of one bag: evaluate the bags one by one, or name a topic")


def _evaluate(
    tasks: Sequence[Task], out: Path, options: EvaluationOptions, *, workers: int, on_cluster: bool
) -> list[BagOutcome]:
    out.mkdir(parents=True, exist_ok=True)
    if on_cluster:
        return _collect(evaluate_on_cluster(tasks, out, options, workers), len(tasks))
    if workers > 1 and len(tasks) > 1:
        return _collect(evaluate_parallel(tasks, out, options, min(workers, len(tasks))), len(tasks))
    return _collect((_evaluate_with_bar(task, out, options) for task in tasks), len(tasks))


def _evaluate_with_bar(task: Task, out: Path, options: EvaluationOptions) -> BagOutcome:
    with tqdm(unit="s", unit_scale=True, desc=task[0], leave=False, disable=None, position=1) as bar:

        def show(done_s: float, all_s: float) -> None:
            bar.total = all_s
            bar.update(max(0.0, done_s - bar.n))

        return evaluate_one(task, out, options, show)


def _collect(outcomes: Iterable[BagOutcome], count: int) -> list[BagOutcome]:
    """Lists outcomes by name, and says at once what is wrong with a bag."""
    collected = []
    for outcome in tqdm(outcomes, total=count, unit="bag", disable=None):
        metrics = outcome.metrics
        lines = [outcome.error] if metrics is None else [*metrics["losses"], *metrics["warnings"]]
        for line in [*lines, *(["has results already: skipped"] if outcome.is_earlier else [])]:
            tqdm.write(f"{outcome.name}: {line}", file=sys.stderr)
        collected.append(outcome)
    return sorted(collected, key=lambda outcome: outcome.name)


def _table(outcomes: Sequence[BagOutcome], summary: dict[str, Any]) -> str:
    lines = ["| bag | state | events | onset F, 50 ms | mIoU | exact pairs |", "|---|---|---|---|---|---|"]
    for outcome in outcomes:
        if outcome.metrics is None:
            lines.append(f"| {outcome.name} | failed | | | | |")
            continue
        state = "whole" if outcome.is_whole else "damaged"
        figures = _figures(outcome.metrics["scores"])
        lines.append(f"| {outcome.name} | {state} | {outcome.metrics['events']['count']} | {' | '.join(figures)} |")
    if len(outcomes) > 1 and summary["scores"]:
        lines.append(f"| **all** | | | {' | '.join(_figures(summary['scores']))} |")
    return "\n".join(lines)


def _figures(scores: dict[str, Any] | None) -> list[str]:
    if scores is None:
        return ["", "", ""]
    masks = scores["masks"]
    pairs = masks["exact_pair"] if masks else None
    return [
        f"{scores['onsets']['50_ms']['f_measure']:.3f}",
        f"{100 * masks['iou']['mean']:.1f} %" if masks else "",
        f"{100 * pairs:.1f} %" if pairs is not None else "",
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 all bags are whole, 1 not all, 2 nothing was done."""
    return run_command(command, argv, name="evaluate_bag")


if __name__ == "__main__":
    sys.exit(main())
