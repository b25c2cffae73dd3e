"""Checks the samples of a data set on disk: against themselves, and against scenes made again from their seeds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.simulation.dataset.generation_plan import GenerationPlan, stored_plan
from training.simulation.dataset.scene_processes import each_scene, sample_progress
from training.simulation.dataset.scene_samples import MadeScene, make_scene
from training.simulation.dataset.storage import SimulatedSample, read_ids, read_truth, sample_folder, write_sample
from training.simulation.physics.variants import SimulatedVariant
from training.simulation.rendering.renderers import Renderer
from training.simulation.scenario.splits import SPLITS, split_named
from training.simulation.scene.scene import SimulatedScene
from training.simulation.validation.label_check import label_violations, rerun, sound_violations, steepest_rise_s
from training.simulation.validation.stored_check import (
    contact_violations,
    file_violations,
    hand_violations,
    mask_violations,
)

CHECKS = {
    "files": "pictures, times and sound are whole and agree",
    "masks": "ids, areas and boxes are those of the id map",
    "hands": "boxes hold the hand's and its object's pixels",
    "contact": "the contact is on both objects' pixels, or hidden by one of them or a hand",
    "again": "the seed gives the same files again, byte for byte",
    "force": "the labelled bodies, and no others, begin to press within 5 ms, and their surfaces meet there",
    "sound": "the clean sound begins and rises within 5 ms",
    "silence": "without a collision: nothing held presses anew, and the clean sound is empty but for what is off screen",
}
"""What is checked, by name."""


@dataclass(kw_only=True, slots=True)
class Report:
    """What was found."""

    checked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHECKS, 0))
    """Number of samples by check."""
    broken: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHECKS, 0))
    """Number of samples with a violation by check."""
    violations: list[str] = field(default_factory=list)
    """What is wrong, in sentences that begin with the sample's name."""
    rises_s: list[float] = field(default_factory=list)
    """When the clean sounds rise most steeply, after the labelled onset."""
    surfaces_m: list[float] = field(default_factory=list)
    """Distances from the labelled contacts to the visible surfaces of what collides."""

    def add(self, check: str, sample: str, problems: Sequence[str]) -> None:
        """Counts one check of one sample."""
        self.checked[check] += 1
        self.broken[check] += bool(problems)
        self.violations += [f"{sample}: {problem}" for problem in problems]

    def join(self, other: Report) -> None:
        """Adds what was found elsewhere."""
        for check in CHECKS:
            self.checked[check] += other.checked[check]
            self.broken[check] += other.broken[check]
        self.violations += other.violations
        self.rises_s += other.rises_s
        self.surfaces_m += other.surfaces_m

    def table(self) -> str:
        """Counts and distances in Markdown."""
        lines = ["| check | samples | violations |", "|---|---|---|"]
        lines += [f"| {text} | {self.checked[name]} | {self.broken[name]} |" for name, text in CHECKS.items()]
        lines += ["", "| measured | median | 99 % | most |", "|---|---|---|---|"]
        rows = {
            "steepest rise of the clean sound from the label, ms": self.rises_s,
            "contact to the visible surfaces, mm": self.surfaces_m,
        }
        for name, values in rows.items():
            if values:
                middle, most, worst = np.percentile(np.abs(values) * 1000.0, [50.0, 99.0, 100.0])
                lines.append(f"| {name} | {middle:.1f} | {most:.1f} | {worst:.1f} |")
        return "\n".join(lines)


def check(root: Path, splits: Sequence[str] | None, num_samples: int, workers: int = 0) -> Report:
    """Checks about `num_samples` samples of a data set, spread evenly over its splits, scene by scene.

    Args:
        root: Folder of the data set.
        splits: Which splits; None takes all that are there.
        num_samples: How many, at least two.
        workers: Number of processes; 0 takes all cores.

    Raises:
        ValueError: if there is no data set of this version of the generator, or no such split.
        RuntimeError: if system libraries are missing.
    """
    plan = stored_plan(root)
    present = [(name, scene) for name in splits or SPLITS for scene in _whole_scenes(root, name)]
    if not present or num_samples < 2:
        raise ValueError(
            f"{root} has no whole scene of {', '.join(splits or SPLITS)} to check {num_samples} samples of"
        )
    chosen = np.unique(np.linspace(0, len(present) - 1, min(num_samples // 2, len(present))).round().astype(int))
    report = Report()
    workers = min(workers or len(os.sched_getaffinity(0)), len(chosen))
    with sample_progress(2 * len(chosen)) as progress:
        for found in each_scene(check_scene, plan, [present[number] for number in chosen], workers):
            report.join(found)
            progress.update(2)
    report.violations.sort()
    return report


def _whole_scenes(root: Path, name: str) -> list[int]:
    split_named(name)
    indices = {int(path.name) for path in (root / name).glob("[0-9]*/[0-9]*") if path.is_dir()}
    return sorted(index // 2 for index in indices if index % 2 == 0 and index + 1 in indices)


def check_scene(plan: GenerationPlan, name: str, number: int, renderer: Renderer) -> Report:
    """Checks both samples of a scene."""
    return compare_scene(plan.root, name, make_scene(name, number, plan.form, renderer))


def compare_scene(root: Path, name: str, made: MadeScene) -> Report:
    """Checks both samples of a scene of the data set at `root`, which was `made` again from its seed."""
    report = Report()
    for outcome, sample in zip(made.outcomes, made.samples, strict=True):
        folder = sample_folder(root, name, sample.truth.index)
        title = f"{name} {folder.name}"
        truth, ids = read_truth(folder), read_ids(folder)
        report.add("files", title, file_violations(folder, truth))
        report.add("masks", title, mask_violations(truth, ids))
        report.add("hands", title, hand_violations(truth, ids))
        if truth.collision is not None:
            report.add("contact", title, contact_violations(truth, truth.collision, ids))
        report.add("again", title, _differences(folder, sample))
        _check_event(report, title, made.scene, outcome, sample)
    return report


def _differences(folder: Path, sample: SimulatedSample) -> list[str]:
    """Files of a sample that its seed does not give again."""
    with tempfile.TemporaryDirectory() as place:
        again = Path(place) / folder.name
        write_sample(again, sample, keep_clean=True)
        files = sorted(folder.iterdir())
        return [
            f"{path.name} is another when made again"
            for path in files
            if not (again / path.name).exists() or (again / path.name).read_bytes() != path.read_bytes()
        ]


def _check_event(
    report: Report, title: str, scene: SimulatedScene, outcome: SimulatedVariant, sample: SimulatedSample
) -> None:
    """Checks what happened, and its clean sound."""
    onset_s, rate_hz = sample.truth.onset_s, sample.truth.sound.rate_hz
    clean = sample.clean.astype(np.float64)
    seen = rerun(scene, outcome)
    problems = label_violations(scene, outcome, seen)
    if outcome.collision is not None:
        report.add("force", title, problems)
        later_s = sample.truth.other_collisions_s
        report.add("sound", title, sound_violations(clean, onset_s, rate_hz, later_s))
        report.rises_s.append(steepest_rise_s(clean, onset_s, rate_hz) - onset_s)
        report.surfaces_m += seen.surfaces_m
        return
    if outcome.variant.off_screen:
        problems += sound_violations(clean, onset_s, rate_hz)
    elif clean.any():
        problems.append("the clean sound is not empty")
    report.add("silence", title, problems)
