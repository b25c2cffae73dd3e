"""Generates splits with many processes; can be stopped and started again at any time.

The unit of work is a scene. What a scene's samples look like depends on its split and number alone, so neither the
number of processes nor an interruption changes the data set.
"""

from __future__ import annotations

import logging
import os

from training.simulation.dataset.generation_plan import GenerationPlan, claim
from training.simulation.dataset.scene_processes import each_scene, sample_progress
from training.simulation.dataset.scene_samples import make_scene
from training.simulation.dataset.storage import remove_leftovers, sample_folder, write_sample
from training.simulation.rendering.renderers import Renderer

log = logging.getLogger(__name__)


def generate(plan: GenerationPlan) -> int:
    """Generates what is missing of the data set.

    Returns:
        The number of new samples.

    Raises:
        ValueError: if the folder holds a data set of another format, or cannot be written.
        RuntimeError: if system libraries are missing.
        OSError: if the disk is full; finished samples stay, and the same call goes on from there.
    """
    claim(plan)
    remove_leftovers(plan.root)
    missing = [(name, scene) for name, size in plan.sizes.items() for scene in _missing_scenes(plan, name, size)]
    total, made = sum(plan.sizes.values()), 0
    done = total - 2 * len(missing)
    if done:
        log.info("%d of %d samples are there already", done, total)
    workers = min(plan.workers or len(os.sched_getaffinity(0)), max(len(missing), 1))
    with sample_progress(total, done) as progress:
        for written in each_scene(make_and_write, plan, missing, workers):
            made += written
            progress.update(written)
    return made


def _missing_scenes(plan: GenerationPlan, name: str, size: int) -> list[int]:
    present = [sample_folder(plan.root, name, index).exists() for index in range(size)]
    return [scene for scene in range(size // 2) if not (present[2 * scene] and present[2 * scene + 1])]


def make_and_write(plan: GenerationPlan, name: str, scene: int, renderer: Renderer) -> int:
    """Makes one scene and writes those of its samples that are missing; returns their number."""
    written = 0
    for sample in make_scene(name, scene, plan.form, renderer).samples:
        folder = sample_folder(plan.root, name, sample.truth.index)
        if not folder.exists():
            write_sample(folder, sample, keep_clean=plan.keep_clean)
            written += 1
    return written
