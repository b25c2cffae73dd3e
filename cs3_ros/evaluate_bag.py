"""Command line: evaluates bags and writes figures, masks, pictures and a report for each.

scripts/run python -m cs3_ros.evaluate_bag kitchen_bag --ground-truth /ground_truth/collision --out out/kitchen
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from cs3_ros.bringup.params_file import read_params_file
from cs3_ros.default_parameters import default_values
from cs3_ros.perception.parameters import override_values
from cs3_ros.replay.reading.ground_truth import is_truth_file
from cs3_ros.replay.running.bag_evaluation import EvaluationOptions
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
from cs3_ros.viewers.rerun_log import import_rerun


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 all bags are whole, 1 not all, 2 nothing was done."""
    arguments = _parser().parse_args(argv)
    try:
        tasks = name_bags(find_bags(arguments.bags))
        options = _options(arguments)
        _check(arguments, tasks)
        outcomes = _evaluate(tasks, arguments, options)
    except (ValueError, OSError) as error:
        print(f"evaluate_bag: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("evaluate_bag: interrupted; the same command goes on with the bags that are left", file=sys.stderr)
        return 130
    summary = summarise(outcomes)
    (arguments.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(_table(outcomes, summary))
    files = ("report.html", *(() if arguments.no_video else ("overlay.mp4",)), "events.jsonl", "metrics.json")
    print(f"wrote {arguments.out}/summary.json, and for each bag {', '.join(files)}")
    return 0 if all(outcome.is_whole for outcome in outcomes) else 1


def _evaluate(tasks: Sequence[Task], arguments: argparse.Namespace, options: EvaluationOptions) -> list[BagOutcome]:
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.cluster:
        return _collect(evaluate_on_cluster(tasks, out, options, arguments.workers), len(tasks))
    if arguments.workers > 1 and len(tasks) > 1:
        return _collect(evaluate_parallel(tasks, out, options, min(arguments.workers, len(tasks))), len(tasks))
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


def _options(arguments: argparse.Namespace) -> EvaluationOptions:
    values = default_values()
    if arguments.params_file:
        values = override_values(values, read_params_file(arguments.params_file, node=arguments.node))
    overrides = dict(arguments.param)
    if arguments.preset:
        overrides["preset"] = arguments.preset
    return EvaluationOptions(
        values=override_values(values, overrides),
        ground_truth=arguments.ground_truth,
        audio_topic=arguments.audio,
        image_topic=arguments.image,
        live=arguments.live,
        rate=arguments.rate,
        correct_offset=arguments.correct_offset,
        video=not arguments.no_video,
        rerun=arguments.rerun,
    )


def _check(arguments: argparse.Namespace, tasks: Sequence[Task]) -> None:
    """What does not fit together."""
    if arguments.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {arguments.workers}")
    if arguments.live and (arguments.workers > 1 or arguments.cluster):
        raise ValueError("--live measures latencies: one bag at a time, without --workers and --cluster")
    if arguments.rate != 1.0 and not arguments.live:
        raise ValueError("--rate is the speed of a live replay: add --live; offline replays are as fast as they can be")
    if arguments.rerun:
        import_rerun()
    if len(tasks) > 1 and arguments.ground_truth and is_truth_file(arguments.ground_truth):
        raise ValueError("a file of ground truth is of one bag: evaluate the bags one by one, or name a topic")


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluate_bag",
        description="Replays ROS 2 bags through the perception and writes figures, masks, pictures and reports.",
    )
    parser.add_argument("bags", nargs="+", type=Path, metavar="BAG", help="bags, or folders with bags in them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results; finished bags are skipped")
    parser.add_argument("--ground-truth", default="", metavar="TOPIC|FILE", help="cs3_msgs/Collision, .jsonl or .csv")
    parser.add_argument("--preset", default="", help="preset of the networks (default: the node's)")
    parser.add_argument("--audio", default="", metavar="TOPIC", help="topic of the sound, where there are several")
    parser.add_argument("--image", default="", metavar="TOPIC", help="topic of the images, where there are several")
    parser.add_argument("--params-file", type=Path, help="parameter file of the perception node")
    parser.add_argument("--node", default="/perception", help="for which node that file is (default /perception)")
    parser.add_argument(
        "-p", "--param", type=_assignment, action="append", default=[], metavar="NAME:=VALUE", help="one parameter"
    )
    parser.add_argument("--live", action="store_true", help="play to the real node, and measure latency, CPU, memory")
    parser.add_argument("--rate", type=float, default=1.0, help="speed of the live replay (default 1)")
    parser.add_argument(
        "--correct-offset", action="store_true", help="shift the sound by the estimated offset and drift of its clock"
    )
    parser.add_argument("--no-video", action="store_true", help="no overlay.mp4, which needs all images decoded")
    parser.add_argument("--rerun", action="store_true", help="also write recording.rrd for Rerun (needs rerun-sdk)")
    parser.add_argument("--workers", type=int, default=1, help="bags at a time, or jobs of --cluster (default 1)")
    parser.add_argument("--cluster", choices=["submitit"], help="run as jobs of SLURM, or of this machine")
    return parser


def _assignment(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition(":=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME:=VALUE")
    return name, yaml.safe_load(value)


if __name__ == "__main__":
    sys.exit(main())
