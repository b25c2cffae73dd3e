"""Generates splits with many processes; can be stopped and started again at any time.

The unit of work is a scene. What a scene's samples look like depends on its split and number alone, so neither the
number of processes nor an interruption changes the data set.
"""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.world.render import RENDERERS, make_renderer
from training.world.sampler import Format, make_scene
from training.world.splits import SPLITS, split_named
from training.world.storage import remove_leftovers, sample_folder, write_sample

log = logging.getLogger(__name__)

VERSION = 1
"""Raised when the same seed no longer gives the same sample."""
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
    form: Format = Format()
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
    progress = _Progress(total, total - 2 * len(missing))
    workers = min(plan.workers or len(os.sched_getaffinity(0)), max(len(missing), 1))
    if missing:
        for made in _run(plan, missing, workers):
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
    os.replace(hidden, path)


def _missing_scenes(plan: Plan, name: str, size: int) -> list[int]:
    present = [sample_folder(plan.root, name, index).exists() for index in range(size)]
    return [scene for scene in range(size // 2) if not (present[2 * scene] and present[2 * scene + 1])]


def _run(plan: Plan, missing: list[tuple[str, int]], workers: int) -> Iterator[int]:
    """Yields the number of new samples of each finished scene."""
    context = multiprocessing.get_context("spawn")  # a renderer does not survive a fork
    batch = SCENES_PER_PROCESS * workers
    for start in range(0, len(missing), batch):
        queue, running = iter(missing[start : start + batch]), set()
        pool = ProcessPoolExecutor(workers, context, _begin, (plan,))
        try:
            for _ in range(2 * workers):
                _submit(pool, plan, queue, running)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                    _submit(pool, plan, queue, running)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, plan: Plan, queue: Iterator[tuple[str, int]], running: set[Future[int]]) -> None:
    for name, scene in queue:
        running.add(pool.submit(_work, plan, name, scene))
        return


_renderer = None


def _begin(plan: Plan) -> None:
    """Prepares a worker: one thread, one renderer."""
    global _renderer
    import cv2

    cv2.setNumThreads(1)
    with silenced():
        _renderer = make_renderer(plan.renderer, plan.form.size_hw)


def _work(plan: Plan, name: str, scene: int) -> int:
    return make_and_write(plan, name, scene, _renderer)


def make_and_write(plan: Plan, name: str, scene: int, renderer: object) -> int:
    """Makes one scene and writes those of its samples that are missing; returns their number."""
    split, made = split_named(name), 0
    samples = make_scene((split.number, scene), split.theme, plan.form, renderer)
    for variant, sample in enumerate(samples):
        index = 2 * scene + variant
        folder = sample_folder(plan.root, name, index)
        if folder.exists():
            continue
        sample.facts.update(
            {
                "data_set": "sim_cs3",
                "generator_version": VERSION,
                "split": name,
                "index": index,
                "group": f"{name}-{scene:06d}",
            }
        )
        write_sample(folder, sample, keep_clean=plan.keep_clean)
        made += 1
    return made


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


class _Progress:
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
