"""Many bags: found, named, evaluated side by side, skipped where results are there already, and summed up."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cs3_model.child_processes import end_with_parent
from cs3_ros.bags.bag_reader import is_bag, storage_files
from cs3_ros.replay.reporting.scoring import BagScore, pooled_metrics
from cs3_ros.replay.running.bag_evaluation import evaluate_bag, run_config
from cs3_ros.replay.running.one_bag import Progress
from cs3_ros.replay.running.options import EvaluationOptions

logger = logging.getLogger(__name__)

Task = tuple[str, Path]
"""Name of the result folder, and the bag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BagOutcome:
    """What became of one bag."""

    name: str
    path: Path
    metrics: dict[str, Any] | None = None
    """Content of metrics.json; None if the bag could not be evaluated."""
    error: str = ""
    """Why not."""
    is_earlier: bool = False
    """Whether the results were there already."""

    @property
    def is_whole(self) -> bool:
        """Whether the bag was evaluated without losses."""
        return self.metrics is not None and not self.metrics["losses"]


def find_bags(paths: Iterable[Path]) -> list[Path]:
    """The bags among some paths and in the folders among them, in order.

    Raises:
        ValueError: if a path is neither a bag nor a folder with bags in it.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.suffix == ".bag" or is_bag(path):
            bags = [path]  # a bag of ROS 1 is refused with its remedy later
        elif not path.exists():
            raise ValueError(f"{path} does not exist")
        else:
            folders = sorted(Path(folder) for folder, _, _ in os.walk(path))
            bags = [bag for folder in folders for bag in ([folder] if is_bag(folder) else _loose_files(folder))]
        if not bags:
            raise ValueError(f"{path} is no bag, and there is none in it: no metadata.yaml, .mcap or .db3")
        found.update(dict.fromkeys(bags))
    return list(found)


def _loose_files(folder: Path) -> list[Path]:
    return [path for path in storage_files(folder) if is_bag(path)]


def name_bags(bags: Sequence[Path]) -> list[Task]:
    """Gives each bag a name for its results: its own, with as many of its folders' as make the names differ."""
    parts = [bag.resolve().with_suffix("").parts[1:] if bag.is_file() else bag.resolve().parts[1:] for bag in bags]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["-".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return list(zip(names, bags, strict=True))
    raise ValueError("the same bag is given twice, as a folder and as its file")


def evaluate_one(task: Task, out: Path, options: EvaluationOptions, progress: Progress | None = None) -> BagOutcome:
    """Evaluates one bag, unless its results are there; never raises for what is wrong with a bag."""
    name, path = task
    if (metrics := _earlier_metrics(path, out / name, options)) is not None:
        return BagOutcome(name=name, path=path, metrics=metrics, is_earlier=True)
    try:
        metrics = evaluate_bag(path, out / name, options, *([progress] if progress else []))
    except Exception as error:  # one bad bag, in whatever way, must not stop a thousand others
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        logger.debug("%s failed", path, exc_info=True)
        return BagOutcome(name=name, path=path, error=f"{kind}{error}")
    return BagOutcome(name=name, path=path, metrics=metrics)


def evaluate_parallel(
    tasks: Sequence[Task], out: Path, options: EvaluationOptions, num_workers: int
) -> Iterator[BagOutcome]:
    """Evaluates bags in processes of their own, and yields outcomes as they come."""
    context = multiprocessing.get_context("spawn")  # PyTorch's threads do not survive a fork
    with ProcessPoolExecutor(num_workers, mp_context=context, initializer=_begin, initargs=(num_workers,)) as pool:
        task_of = {pool.submit(evaluate_one, task, out, options): task for task in tasks}
        for future in as_completed(task_of):
            name, path = task_of[future]
            error = future.exception()  # the process itself ended, for want of memory for instance
            yield BagOutcome(name=name, path=path, error=f"its process died: {error}") if error else future.result()


def evaluate_on_cluster(
    tasks: Sequence[Task], out: Path, options: EvaluationOptions, num_jobs: int
) -> Iterator[BagOutcome]:
    """Evaluates bags in jobs of SLURM, or in local processes where there is none, through submitit.

    The results have to be on a file system that all machines see. A job that dies costs its unfinished bags, which the
    same command, given again, makes up for.

    Raises:
        ValueError: if submitit is not installed.
    """
    try:
        import submitit
    except ImportError:
        raise ValueError("--cluster submitit needs a package that is not installed: pip install submitit") from None
    executor = submitit.AutoExecutor(folder=out / ".jobs")
    executor.update_parameters(name="evaluate_bag", timeout_min=_JOB_LIMIT_MIN, slurm_array_parallelism=num_jobs)
    shares = [share for share in (tasks[index::num_jobs] for index in range(num_jobs)) if share]
    jobs = executor.map_array(_evaluate_share, shares, [out] * len(shares), [options] * len(shares))
    for job, share in zip(jobs, shares, strict=True):
        try:
            yield from job.result()
        except Exception as error:  # submitit's own, with the output of the job in it
            reason = str(error).strip().splitlines()[-1]
            for name, path in share:
                metrics = _earlier_metrics(path, out / name, options)
                yield BagOutcome(
                    name=name, path=path, metrics=metrics, error="" if metrics else f"its job died: {reason}"
                )


def summarise(outcomes: Sequence[BagOutcome]) -> dict[str, Any]:
    """What summary.json holds: each bag in short, and the pooled scores of those that have ground truth."""
    scored = [
        (outcome.name, BagScore.from_json(outcome.metrics["bag_score"]))
        for outcome in outcomes
        if outcome.metrics is not None and outcome.metrics["bag_score"] is not None
    ]
    return {
        "bags": [
            {
                "name": outcome.name,
                "path": str(outcome.path),
                "error": outcome.error,
                "losses": outcome.metrics["losses"] if outcome.metrics else [],
                "warnings": outcome.metrics["warnings"] if outcome.metrics else [],
                "events": outcome.metrics["events"]["count"] if outcome.metrics else None,
            }
            for outcome in outcomes
        ],
        "scores": pooled_metrics(scored) if scored else None,
    }


_JOB_LIMIT_MIN = 24 * 60


def _evaluate_share(tasks: Sequence[Task], out: Path, options: EvaluationOptions) -> list[BagOutcome]:
    return [evaluate_one(task, out, options) for task in tasks]


def _begin(num_workers: int) -> None:
    import torch

    end_with_parent()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // num_workers))


def _earlier_metrics(path: Path, folder: Path, options: EvaluationOptions) -> dict[str, Any] | None:
    """The metrics of finished results of the same bag with the same options."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        wanted = run_config(path, options)
        if {name: config[name] for name in wanted} == wanted:
            return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError):
        pass
    return None
