"""Cost, memory and label truth of the simulated world, on one core.

    scripts/run python benchmarks/world.py                     100 still samples and a clip of 2 s
    scripts/run python benchmarks/world.py --samples 2000      memory over 2,000 samples
    scripts/run python benchmarks/world.py --labels 500        checks 500 labels against contact forces and clean sounds
    scripts/run python benchmarks/world.py --clip-memory 60    peak memory of a long clip, drawn in one process and in several

Stills are made as the generator makes them, in workers that are replaced after a hundred scenes. Prints Markdown
tables. CPU seconds count all threads, those of the software renderer too.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
import typer

from benchmarks.scaffold import Stopwatch, elapsed, print_header, print_row, where
from training.simulation.dataset import clips, generate, scene_samples
from training.simulation.dataset.generate import make_and_write
from training.simulation.dataset.generation_plan import GenerationPlan
from training.simulation.dataset.scene_processes import SCENES_PER_PROCESS
from training.simulation.physics import hand_motion, variants
from training.simulation.rendering import sensor
from training.simulation.rendering.renderer_process import RendererProcess
from training.simulation.rendering.renderers import FilamentRenderer, make_renderer
from training.simulation.scenario.scenarios import draw_recipe, request_at_level
from training.simulation.scene.table_layout import LayoutError
from training.simulation.validation.label_check import label_violations, rerun, sound_violations

T = TypeVar("T")
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
    """CPU seconds of a process, in all and by stage."""

    def __init__(self) -> None:
        self._watches = {stage: Stopwatch(owner, name) for stage, (owner, name) in STAGES.items()}

    def measure(self, work: Callable[[], object], count: float = 1.0) -> tuple[dict[str, float], float]:
        """Does `work`; returns its CPU seconds by stage and in all, divided by `count`."""
        before_s = {stage: watch.seconds for stage, watch in self._watches.items()}
        with elapsed() as taken:
            work()
        stages_s = {stage: (watch.seconds - before_s[stage]) / count for stage, watch in self._watches.items()}
        return stages_s, taken.cpu_s / count


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


def peaks_of_clip(duration_s: float, replaced: bool) -> tuple[float, float]:
    """Makes a clip; returns the peak memory of this process and of the largest that it started, MiB."""
    renderer = (RendererProcess if replaced else make_renderer)("filament", (352, 352))
    with tempfile.TemporaryDirectory() as folder:
        clips.make_clip(0, clips.ClipPlan(duration_s=duration_s), Path(folder) / "clip", renderer)
    own, started = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own / 2**10, started / 2**10


def in_worker(function: Callable[..., T], *arguments: object) -> T:
    """Calls a function in a process of its own, as the generator does."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure_clip_memory(duration_s: float) -> None:
    """Prints the peak memory of a clip drawn in one process, and drawn in several."""
    print_header(
        f"clip of {duration_s:g} s, 15 fps, drawn in", "peak of its process, MiB", "of the largest that draws, MiB"
    )
    own, _ = in_worker(peaks_of_clip, duration_s, False)
    print_row("one process", f"{own:.0f}", "the same")
    own, drawing = in_worker(peaks_of_clip, duration_s, True)
    print_row("processes that are replaced", f"{own:.0f}", f"{drawing:.0f}")


def measure(num_samples: int, clip_s: float) -> None:
    """Prints the costs of stills and of a clip."""
    num_scenes = num_samples // 2
    starts = range(0, num_scenes, SCENES_PER_PROCESS)
    batches = [in_worker(stills, start, min(start + SCENES_PER_PROCESS, num_scenes)) for start in starts]
    of_clip = in_worker(clip, clip_s)
    print_header("stage", "CPU s per still sample", "CPU s per clip second (15 fps)")
    for stage in STAGES:
        still_s = sum(batch.seconds[stage] for batch in batches) / num_samples
        if still_s or of_clip.seconds[stage]:
            print_row(stage, f"{still_s:.3f}", f"{of_clip.seconds[stage]:.3f}")
    still_s = sum(batch.cpu_s for batch in batches) / num_samples
    print_row("**all**", f"**{still_s:.3f}** (target 0.5)", f"**{of_clip.cpu_s:.2f}** (target 2.5)")
    print()
    print_memory(batches)
    print_row(f"clip of {clip_s:g} s", f"{of_clip.resident_mib[0]:.0f}")


def print_memory(batches: list[Batch]) -> None:
    """Prints the memory of the workers that made stills."""
    peaks = [max(batch.resident_mib) for batch in batches]
    first = batches[0].resident_mib
    per_scene = (first[-1] - first[len(first) // 2]) / max(len(first) - 1 - len(first) // 2, 1)
    print_header("memory of a worker", "MiB")
    print_row(f"peak, {len(batches)} workers of {SCENES_PER_PROCESS} scenes at most", f"{max(peaks):.0f} (target 1536)")
    print_row("growth within a worker, per scene", f"{per_scene:+.1f}")
    print_row("peaks of the workers, in order", ", ".join(f"{peak:.0f}" for peak in peaks))
    whole = [peak for peak, batch in zip(peaks, batches, strict=True) if len(batch.resident_mib) == SCENES_PER_PROCESS]
    if len(whole) > 1:
        print_row("growth from the first worker's peak to the last one's", f"{whole[-1] - whole[0]:+.1f}")


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
    print_header("labels", "violations")
    print_row(str(checked), f"{len(violations)} (target 0)")
    for violation in violations:
        print(f"- {violation}")


def main(
    samples: Annotated[int, typer.Option(help="Still samples to make.")] = 100,
    clip_seconds: Annotated[float, typer.Option(help="Length of the clip.")] = 2.0,
    labels: Annotated[int, typer.Option(help="Check this many labels instead.")] = 0,
    clip_memory: Annotated[float, typer.Option(help="Measure the memory of a clip of so many seconds instead.")] = 0.0,
) -> None:
    """Cost, memory and label truth of the simulated world, on one core."""
    print(f"{where('mujoco', 'numpy')}\n")
    if labels:
        check_labels(labels)
    elif clip_memory:
        measure_clip_memory(clip_memory)
    else:
        measure(samples, clip_seconds)


if __name__ == "__main__":
    typer.run(main)
