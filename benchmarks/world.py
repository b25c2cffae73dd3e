"""Cost, memory and label truth of the simulated world, on one core.

    python benchmarks/world.py                     100 still samples and a clip of 2 s
    python benchmarks/world.py --samples 2000      memory growth over 2,000 samples
    python benchmarks/world.py --labels 500        checks 500 labels against contact forces and clean sounds

Prints Markdown tables. CPU seconds count all threads, those of the software renderer too.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil

from training.world import events, sampler
from training.world.clips import ClipPlan, make_clip
from training.world.generate import Plan, make_and_write, silenced
from training.world.label_check import label_violations, sound_violations
from training.world.plans import LayoutError
from training.world.recipes import draw_recipe
from training.world.render import make_renderer

STAGES = {
    "layout": ("layout.py", "lay_out"),
    "model": ("scene.py", "build"),
    "touch": ("script.py", "find_touch"),
    "physics": ("events.py", "run"),
    "physics (clip)": ("performance.py", "perform"),
    "scene upload": ("render.py", "open"),
    "pictures": ("render.py", "picture"),
    "ids": ("render.py", "geom_ids"),
    "camera effects": ("effects.py", ("blur_motion", "develop")),
    "sound": ("sampler.py", "sound_of"),
    "sound (clip)": ("clips.py", "_sound"),
    "writing": ("storage.py", "write_sample"),
}


def stages(profile: cProfile.Profile, count: float) -> dict[str, float]:
    """CPU seconds of each stage, divided by `count`."""
    seconds = dict.fromkeys(STAGES, 0.0)
    for (path, _, function), (_, _, _, cumulative, _) in pstats.Stats(profile).stats.items():
        for stage, (file, names) in STAGES.items():
            if path.endswith(f"world/{file}") and function in ((names,) if isinstance(names, str) else names):
                seconds[stage] += cumulative / count
    return seconds


def profiled(work) -> tuple[cProfile.Profile, float]:
    """Runs `work` under a profiler of CPU time; returns it and the CPU seconds."""
    profile = cProfile.Profile(time.process_time)
    start = time.process_time()
    profile.runcall(work)
    return profile, time.process_time() - start


def measure(num_samples: int, clip_s: float) -> None:
    """Prints the costs of stills and of a clip."""
    process = psutil.Process()
    with silenced():
        renderer = make_renderer("filament", (352, 352))
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(root=Path(folder))
        make_and_write(plan, "val", 0, renderer)  # fills the caches
        resident = []

        def stills() -> None:
            for scene in range(num_samples // 2):
                make_and_write(plan, "train", scene, renderer)
                resident.append(process.memory_info().rss / 2**20)

        still_profile, still_s = profiled(stills)
        clip_plan = ClipPlan(duration_s=clip_s)
        clip_profile, clip_cpu_s = profiled(lambda: make_clip(0, clip_plan, Path(folder) / "clip", renderer))
    still, clip = stages(still_profile, num_samples), stages(clip_profile, clip_s)
    print("| stage | CPU s per still sample | CPU s per clip second (15 fps) |\n|---|---|---|")
    for stage in STAGES:
        if still[stage] or clip[stage]:
            print(f"| {stage} | {still[stage]:.3f} | {clip[stage]:.3f} |")
    print(f"| **all** | **{still_s / num_samples:.3f}** (target 0.5) | **{clip_cpu_s / clip_s:.2f}** (target 2.5) |\n")
    tenth = max(len(resident) // 10, 1)
    first, last = np.median(resident[tenth : 2 * tenth]), np.median(resident[-tenth:])
    print("| memory of one worker | MiB |\n|---|---|")
    print(f"| peak | {max(resident):.0f} (target 1536) |")
    print(f"| growth from the second to the last tenth of {num_samples} samples | {last - first:+.1f} |")


def check_labels(num_labels: int) -> None:
    """Prints the number of labels that physics or sound contradict."""
    checked, violations, seed = 0, [], 0
    while checked < num_labels:
        rng = np.random.default_rng([99, seed])
        seed += 1
        recipe = draw_recipe(rng)
        request = events.level_request(str(rng.choice(["easy", "medium", "hard"])), recipe)
        try:
            scene, head = events.prepare(rng, recipe, request)
            outcomes = events.run(rng, recipe, scene, head, 0.08, 0.1)
            sounds = [sampler.sound_of(rng, scene, outcome, request, 16_000, 0.8) for outcome in outcomes]
        except LayoutError:
            continue
        for outcome, sound in zip(outcomes, sounds):
            if outcome.collision is None or checked == num_labels:
                continue
            checked += 1
            violations += label_violations(scene, outcome) + sound_violations(sound.clean, 0.8, 16_000)
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
