"""Cost, memory and label truth of the simulated world, on one core.

    python benchmarks/world.py                     100 still samples and a clip of 2 s
    python benchmarks/world.py --samples 2000      memory over 2,000 samples
    python benchmarks/world.py --labels 500        checks 500 labels against contact forces and clean sounds

Stills are made as the generator makes them, in workers that are replaced after a hundred scenes. Prints Markdown
tables. CPU seconds count all threads, those of the software renderer too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil

# In place of this folder: sam2's wheel has a package `training` too, which would otherwise be found first.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from training.simulation.dataset import clips, generate, scene_samples  # noqa: E402
from training.simulation.dataset.generate import make_and_write  # noqa: E402
from training.simulation.dataset.generation_plan import GenerationPlan  # noqa: E402
from training.simulation.dataset.scene_processes import SCENES_PER_PROCESS  # noqa: E402
from training.simulation.physics import hand_motion, variants  # noqa: E402
from training.simulation.rendering import sensor  # noqa: E402
from training.simulation.rendering.renderers import FilamentRenderer, make_renderer  # noqa: E402
from training.simulation.scenario.scenarios import draw_recipe, request_at_level  # noqa: E402
from training.simulation.scene.table_layout import LayoutError  # noqa: E402
from training.simulation.validation.label_check import label_violations, rerun, sound_violations  # noqa: E402

STAGES = {
    "layout": (variants, "lay_out"),
    "model": (variants, "build_scene"),
    "touch": (hand_motion, "find_touch"),
    "physics": (variants, "run"),
    "physics (clip)": (clips, "perform"),
    "scene upload": (FilamentRenderer, "open"),
    "pictures": (FilamentRenderer, "picture"),
    "ids": (FilamentRenderer, "geom_ids"),
    "motion blur": (sensor, "blur_motion"),
    "camera": (sensor, "develop"),
    "sound": (scene_samples, "sound_of"),
    "sound (clip)": (clips, "_sound"),
    "writing": (generate, "write_sample"),
}
"""What is timed, by module or class and name."""


class Clock:
    """CPU seconds of a process, in all and by stage; a profiler of every call would cost a fifth more."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        for stage, (owner, name) in STAGES.items():
            setattr(owner, name, self._timed(stage, getattr(owner, name)))

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[stage] += time.process_time() - start

        return timed

    def measure(self, work: Callable[[], object], count: float = 1.0) -> tuple[dict[str, float], float]:
        """Does `work`; returns its CPU seconds by stage and in all, divided by `count`."""
        self.seconds = dict.fromkeys(STAGES, 0.0)
        start = time.process_time()
        work()
        total_s = time.process_time() - start
        return {stage: seconds / count for stage, seconds in self.seconds.items()}, total_s / count


@dataclass(frozen=True)
class Batch:
    """What one worker did."""

    seconds: dict[str, float]
    """CPU seconds by stage."""
    cpu_s: float
    resident_mib: list[float]
    """Memory after each scene."""


def stills(first: int, last: int) -> Batch:
    """Makes the scenes from `first` to `last` in this process."""
    process, resident = psutil.Process(), []
    renderer = make_renderer("filament", (352, 352))
    with tempfile.TemporaryDirectory() as folder:
        plan = GenerationPlan(root=Path(folder))
        make_and_write(plan, "val", 0, renderer)  # fills the caches

        def work() -> None:
            for scene in range(first, last):
                make_and_write(plan, "train", scene, renderer)
                resident.append(process.memory_info().rss / 2**20)

        seconds, cpu_s = Clock().measure(work)
    return Batch(seconds=seconds, cpu_s=cpu_s, resident_mib=resident)


def clip(duration_s: float) -> Batch:
    """Makes a clip in this process."""
    process = psutil.Process()
    renderer = make_renderer("filament", (352, 352))
    with tempfile.TemporaryDirectory() as folder:
        make_and_write(GenerationPlan(root=Path(folder)), "val", 0, renderer)  # fills the caches
        plan = clips.ClipPlan(duration_s=duration_s)
        seconds, cpu_s = Clock().measure(lambda: clips.make_clip(0, plan, Path(folder) / "clip", renderer), duration_s)
    return Batch(seconds=seconds, cpu_s=cpu_s, resident_mib=[process.memory_info().rss / 2**20])


def in_worker(function: Callable[..., Batch], *arguments: object) -> Batch:
    """Calls a function in a process of its own, as the generator does."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(num_samples: int, clip_s: float) -> None:
    """Prints the costs of stills and of a clip."""
    num_scenes = num_samples // 2
    starts = range(0, num_scenes, SCENES_PER_PROCESS)
    batches = [in_worker(stills, start, min(start + SCENES_PER_PROCESS, num_scenes)) for start in starts]
    of_clip = in_worker(clip, clip_s)
    print("| stage | CPU s per still sample | CPU s per clip second (15 fps) |\n|---|---|---|")
    for stage in STAGES:
        still_s = sum(batch.seconds[stage] for batch in batches) / num_samples
        if still_s or of_clip.seconds[stage]:
            print(f"| {stage} | {still_s:.3f} | {of_clip.seconds[stage]:.3f} |")
    still_s = sum(batch.cpu_s for batch in batches) / num_samples
    print(f"| **all** | **{still_s:.3f}** (target 0.5) | **{of_clip.cpu_s:.2f}** (target 2.5) |\n")
    peaks = [max(batch.resident_mib) for batch in batches]
    first = batches[0].resident_mib
    per_scene = (first[-1] - first[len(first) // 2]) / max(len(first) - 1 - len(first) // 2, 1)
    print("| memory of a worker | MiB |\n|---|---|")
    print(f"| peak, {len(batches)} workers of {SCENES_PER_PROCESS} scenes at most | {max(peaks):.0f} (target 1536) |")
    print(f"| growth within a worker, per scene | {per_scene:+.1f} |")
    print(f"| peaks of the workers, in order | {', '.join(f'{peak:.0f}' for peak in peaks)} |")
    whole = [peak for peak, batch in zip(peaks, batches, strict=True) if len(batch.resident_mib) == SCENES_PER_PROCESS]
    if len(whole) > 1:
        print(f"| growth from the first worker's peak to the last one's | {whole[-1] - whole[0]:+.1f} |")
    print(f"| clip of {clip_s:g} s | {of_clip.resident_mib[0]:.0f} |")


def check_labels(num_labels: int) -> None:
    """Prints the number of labels that physics or sound contradict."""
    checked, violations, seed = 0, [], 0
    while checked < num_labels:
        rng = np.random.default_rng([99, seed])
        seed += 1
        recipe = draw_recipe(rng)
        request = request_at_level(str(rng.choice(["easy", "medium", "hard"])), recipe)
        try:
            scene, head = variants.prepare(rng, recipe, request)
            outcomes = variants.run(rng, recipe, scene, head, 0.08, 0.1)
            sounds = [scene_samples.sound_of(rng, scene, outcome, request.level, 16_000, 0.8) for outcome in outcomes]
        except LayoutError:
            continue
        for outcome, sound in zip(outcomes, sounds, strict=True):
            if outcome.collision is None or checked == num_labels:
                continue
            checked += 1
            violations += label_violations(scene, outcome, rerun(scene, outcome))
            later_s = [
                c.time_s - outcome.onset_s + 0.8 for c in outcome.record.collisions if c is not outcome.collision
            ]
            violations += sound_violations(sound.clean, 0.8, 16_000, later_s)
    print(f"| labels | violations |\n|---|---|\n| {checked} | {len(violations)} (target 0) |")
    for violation in violations:
        print(f"- {violation}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--clip-seconds", type=float, default=2.0)
    parser.add_argument("--labels", type=int, default=0)
    options = parser.parse_args()
    if options.labels:
        check_labels(options.labels)
    else:
        measure(options.samples, options.clip_seconds)
