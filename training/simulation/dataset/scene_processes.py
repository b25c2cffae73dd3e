"""Works on scenes in processes of their own, each with its renderer."""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import cv2
from tqdm import tqdm

from cs3_model.child_processes import end_with_parent
from training.simulation.dataset.generation_plan import GenerationPlan
from training.simulation.rendering.renderers import Renderer, make_renderer

SCENES_PER_PROCESS = 100
"""After so many a worker is replaced, as the renderer keeps some memory of each scene."""

Work = Callable[[GenerationPlan, str, int, Renderer], Any]
"""Called with the plan, the split, the scene's number and the process' renderer."""


def each_scene(work: Work, plan: GenerationPlan, scenes: list[tuple[str, int]], workers: int) -> Iterator[Any]:
    """Yields what `work` returns for each split and scene number, in any order, from processes of their own.

    Args:
        work: A function of a module.
        plan: What the data set is made of.
        scenes: Splits and numbers.
        workers: Number of processes.
    """
    context = multiprocessing.get_context("spawn")  # a renderer does not survive a fork
    batch = SCENES_PER_PROCESS * workers
    for start in range(0, len(scenes), batch):
        queue = iter(scenes[start : start + batch])
        running: set[Future[Any]] = set()
        pool = ProcessPoolExecutor(workers, context, _begin, (plan,))
        try:
            for name, scene in itertools.islice(queue, 2 * workers):
                running.add(pool.submit(_in_worker, work, plan, name, scene))
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                    for name, scene in itertools.islice(queue, 1):
                        running.add(pool.submit(_in_worker, work, plan, name, scene))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_renderer: Renderer


def _begin(plan: GenerationPlan) -> None:
    """Prepares a worker: one thread, one renderer, and an end when the first process is killed."""
    global _renderer
    end_with_parent()
    cv2.setNumThreads(1)
    _renderer = make_renderer(plan.renderer, plan.form.size_hw)


def _in_worker(work: Work, plan: GenerationPlan, name: str, scene: int) -> Any:
    return work(plan, name, scene, _renderer)


def sample_progress(total: int, done: int = 0) -> tqdm[Any]:
    """A bar of samples: a few times a second on a terminal, a line each minute elsewhere."""
    often_s = 0.2 if sys.stderr.isatty() else 60.0
    return tqdm(total=total, initial=done, unit="samples", leave=False, mininterval=often_s, delay=often_s)
