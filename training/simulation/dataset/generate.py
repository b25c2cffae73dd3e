"""Generates splits with many processes; can be stopped and started again at any time.

The unit of work is a scene. What a scene's samples look like depends on its split and number alone, so neither the
number of processes nor an interruption changes the data set.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.data.worker_processes import end_with_parent
from training.simulation.dataset.scene_samples import Format, MadeScene, make_scene
from training.simulation.dataset.storage import remove_leftovers, sample_folder, write_sample
from training.simulation.rendering.renderers import RENDERERS, Renderer, make_renderer
from training.simulation.scenario.splits import SPLITS, split_named

log = logging.getLogger(__name__)

VERSION = 1
"""Raised when the seed of a sample that `check` finds true no longer gives the same one."""
SCENES_PER_PROCESS = 100
"""After so many a worker is replaced, as the renderer keeps some memory of each scene."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to generate.

    Raises:
        ValueError: if a value is out of its range.
    """

    root: Path
    """Folder of the data set."""
    sizes: dict[str, int] = field(default_factory=lambda: {name: split.num_samples for name, split in SPLITS.items()})
    """Number of samples by split; even, as a scene gives two."""
    form: Format = field(default_factory=Format)
    """Pictures, sound and level."""
    workers: int = 0
    """Number of processes; 0 takes all cores."""
    renderer: str = "filament"
    """filament, or classic."""
    keep_clean: bool = False
    """Whether to keep the sound without background as well."""

    def __post_init__(self) -> None:
        for name, size in self.sizes.items():
            split_named(name)
            if size < 0 or size % 2:
                raise ValueError(f"Plan.sizes[{name!r}] must be even and not negative, got {size}")
        if self.workers < 0:
            raise ValueError(f"Plan.workers must be 0 (all cores) or more, got {self.workers}")
        if self.renderer not in RENDERERS:
            raise ValueError(f"Plan.renderer must be one of {', '.join(RENDERERS)}, got {self.renderer!r}")


def generate(plan: Plan) -> int:
    """Generates what is missing of the data set.

    Returns:
        The number of new samples.

    Raises:
        ValueError: if the folder holds a data set of another format.
        RuntimeError: if system libraries are missing.
        OSError: if the disk is full; finished samples stay, and the same call goes on from there.
    """
    _claim(plan)
    remove_leftovers(plan.root)
    missing = [(name, scene) for name, size in plan.sizes.items() for scene in _missing_scenes(plan, name, size)]
    total = sum(plan.sizes.values())
    progress = Progress(total, total - 2 * len(missing))
    workers = min(plan.workers or len(os.sched_getaffinity(0)), max(len(missing), 1))
    if missing:
        for made in each_scene(make_and_write, plan, missing, workers):
            progress.add(made)
    progress.close()
    return progress.made


def _claim(plan: Plan) -> None:
    """Writes what the data set is made of, or checks that it is the same."""
    content = {"generator_version": VERSION, "renderer": plan.renderer, "format": asdict(plan.form)}
    content = json.loads(json.dumps(content))
    path = plan.root / "dataset.json"
    plan.root.mkdir(parents=True, exist_ok=True)
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != content:
            raise ValueError(f"{path} was made with {found}, not with {content}: choose another folder")
        return
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    hidden.write_text(json.dumps(content, indent=1), encoding="utf-8")
    hidden.replace(path)


def stored_plan(root: Path) -> Plan:
    """What a data set on disk was made of; its sizes are not known.

    Raises:
        ValueError: if it is none, or another version of the generator made it.
    """
    path = root / "dataset.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        form = Format(**{**content["format"], "size_hw": tuple(content["format"]["size_hw"])})
        version, renderer = content["generator_version"], content["renderer"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say what a data set of the world is made of ({error!r})") from error
    if version != VERSION:
        raise ValueError(f"{path} is of version {version} of the generator, not {VERSION}: make the data set again")
    return Plan(root=root, form=form, renderer=renderer)


def _missing_scenes(plan: Plan, name: str, size: int) -> list[int]:
    present = [sample_folder(plan.root, name, index).exists() for index in range(size)]
    return [scene for scene in range(size // 2) if not (present[2 * scene] and present[2 * scene + 1])]


_Work = Callable[[Plan, str, int, Renderer], Any]


def each_scene(work: _Work, plan: Plan, scenes: list[tuple[str, int]], workers: int) -> Iterator[Any]:
    """Yields what `work` returns for each split and scene number, in any order, from processes of their own.

    Args:
        work: A function of a module, called with the plan, the split, the scene's number and the process' renderer.
        plan: What the data set is made of.
        scenes: Splits and numbers.
        workers: Number of processes.
    """
    context = multiprocessing.get_context("spawn")  # a renderer does not survive a fork
    batch = SCENES_PER_PROCESS * workers
    for start in range(0, len(scenes), batch):
        queue, running = iter(scenes[start : start + batch]), set()
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


_renderer = None


def _begin(plan: Plan) -> None:
    """Prepares a worker: one thread, one renderer, and an end when the first process is killed."""
    global _renderer
    import cv2

    end_with_parent()
    cv2.setNumThreads(1)
    with silenced():
        _renderer = make_renderer(plan.renderer, plan.form.size_hw)


def _in_worker(work: _Work, plan: Plan, name: str, scene: int) -> Any:
    return work(plan, name, scene, _renderer)


def make(name: str, scene: int, form: Format, renderer: Renderer) -> MadeScene:
    """Makes one scene of a split."""
    split = split_named(name)
    made = make_scene((split.number, scene), split.theme, form, renderer)
    for variant, sample in enumerate(made.samples):
        sample.facts.update(
            {
                "data_set": "sim_cs3",
                "generator_version": VERSION,
                "split": name,
                "index": 2 * scene + variant,
                "group": f"{name}-{scene:06d}",
            }
        )
    return made


def make_and_write(plan: Plan, name: str, scene: int, renderer: Renderer) -> int:
    """Makes one scene and writes those of its samples that are missing; returns their number."""
    written = 0
    for sample in make(name, scene, plan.form, renderer).samples:
        folder = sample_folder(plan.root, name, sample.facts["index"])
        if not folder.exists():
            write_sample(folder, sample, keep_clean=plan.keep_clean)
            written += 1
    return written


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keeps the notes that the renderer's library prints about itself off the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for handle in (*kept, nowhere):
            os.close(handle)


class Progress:
    """A bar on a terminal, a line each minute elsewhere."""

    def __init__(self, total: int, done: int) -> None:
        self._total, self._before, self.made = total, done, 0
        self._start = self._shown = time.monotonic()
        self._terminal = sys.stderr.isatty()
        if done:
            log.info("%d of %d samples are there already", done, total)

    def add(self, count: int) -> None:
        self.made += count
        now = time.monotonic()
        if now - self._shown < (0.2 if self._terminal else 60.0):
            return
        self._shown = now
        done = self._before + self.made
        left = (now - self._start) / max(self.made, 1) * (self._total - done)
        bar = "#" * round(30 * done / self._total)
        line = f"[{bar:.<30}] {done} / {self._total} samples, {left / 60:.1f} min left"
        print(
            f"\r{line}\x1b[K" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
