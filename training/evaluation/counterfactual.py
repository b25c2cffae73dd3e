"""Checks that a counterfactual test is one: same picture, other sound, other answer.

Within a group of samples that show one picture, every true answer must occur equally often. Then whoever only looks
gives one answer to the whole group and is exact on one sample in as many as there are answers: chance.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cs3_model.types import BoolMask
from training.data.samples import Sample


@dataclass(frozen=True, kw_only=True, slots=True)
class CounterfactualCheck:
    """What was found."""

    num_samples: int
    num_groups: int
    exact_by_looking: float
    """The largest share of samples that can be answered exactly without hearing."""
    problems: tuple[str, ...]
    """What is wrong, one line for each group that is no counterfactual; empty if all is well."""


def check_counterfactuals(samples: Sequence[Sample]) -> CounterfactualCheck:
    """Reads all samples and checks every group (`Conditions.group`).

    Raises:
        ValueError: if there are no samples, or some have no truth.
        SampleError: if a file is missing or broken.
    """
    if not samples or not all(sample.load_objects for sample in samples):
        raise ValueError("a counterfactual test needs samples, all of them with true masks")
    answers = [fingerprint(_true_masks(sample)) for sample in samples]
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        groups.setdefault(_group(sample), []).append(index)
    problems = []
    for name, members in groups.items():
        problem = _problem([samples[index] for index in members], Counter(answers[index] for index in members))
        if problem:
            problems.append(f"group {name}: {problem}")
    return CounterfactualCheck(
        num_samples=len(samples),
        num_groups=len(groups),
        exact_by_looking=exact_by_looking(
            [(_group(sample), answer) for sample, answer in zip(samples, answers, strict=True)]
        ),
        problems=tuple(problems),
    )


def exact_by_looking(answers: Sequence[tuple[str, str]]) -> float:
    """The largest share of samples that can be answered exactly without hearing.

    Args:
        answers: Group and fingerprint of each sample, at least one.
    """
    by_group: dict[str, Counter[str]] = {}
    for group, answer in answers:
        by_group.setdefault(group, Counter())[answer] += 1
    return sum(max(counts.values()) for counts in by_group.values()) / len(answers)


def fingerprint(true_masks: Sequence[BoolMask]) -> str:
    """Equal for equal sets of masks of one picture; empty if there are none."""
    if not true_masks:
        return ""
    return hashlib.sha256(b"".join(sorted(np.packbits(mask).tobytes() for mask in true_masks))).hexdigest()[:16]


def _problem(members: Sequence[Sample], answers: Counter[str]) -> str:
    if "" in answers:
        return "a sample has no visible collision"
    if len(answers) < 2:
        return "it has one answer only"
    if len(set(answers.values())) > 1:
        return f"its {len(answers)} answers are not equally frequent ({', '.join(map(str, answers.values()))})"
    first = members[0].load_image()
    if not all(np.array_equal(first, sample.load_image()) for sample in members[1:]):
        return "its samples show different pictures"
    if len({sample.sound for sample in members}) < len(members):
        return "two of its samples have the same sound"
    return ""


def _group(sample: Sample) -> str:
    return sample.conditions.group or sample.sample_id


def _true_masks(sample: Sample) -> list[BoolMask]:
    assert sample.load_objects is not None
    return [item.mask for item in sample.load_objects() if item.is_colliding and item.mask.any()]
