"""How well a selection chooses and how well it knows when nothing in view collided, on events of the reduced grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu

from cs3_model.moment.selection import LearnedSelection
from training.selection.fit import Lesson

_LOST = 0.05
"""Share of the visible collisions that the operating point of "nothing in view" may lose."""
_BINS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectionScore:
    """The score of a selection on a set of events; shares in [0, 1], NaN where there is nothing to measure."""

    num_in_view: int
    num_not_in_view: int
    exact: float
    """Chosen exactly, of the events in view."""
    iou: float
    """Mean IoU of the chosen options, of the events in view."""
    exact_bound: float
    """The same for the best options there are."""
    iou_bound: float
    not_in_view_auroc: float
    """Of the probability that nothing in view collided."""
    refused: float
    """Share of the events without a collision in view that are refused at a threshold that loses 5 % of the others."""
    threshold: float
    """That threshold."""
    calibration_error: float
    """Expected calibration error of the published probability, in ten bins."""


def score_selection(selection: LearnedSelection, lessons: Sequence[Lesson]) -> SelectionScore:
    """Runs a selection on events and scores it.

    Raises:
        ValueError: if no event has anything in view.
    """
    choices = [selection.choose(lesson.evidence) for lesson in lessons]
    options = [_index(lesson, choice.option) for lesson, choice in zip(lessons, choices, strict=True)]
    seen = [index for index, lesson in enumerate(lessons) if lesson.in_view]
    unseen = [index for index, lesson in enumerate(lessons) if not lesson.in_view]
    if not seen:
        raise ValueError("no event has a collision in view: nothing can be scored")
    not_in_view = np.array([choice.not_in_view for choice in choices])
    threshold = float(np.quantile(not_in_view[seen], 1.0 - _LOST))
    return SelectionScore(
        num_in_view=len(seen),
        num_not_in_view=len(unseen),
        exact=float(np.mean([lessons[index].is_exact[options[index]] for index in seen])),
        iou=float(np.mean([lessons[index].ious[options[index]] for index in seen])),
        exact_bound=float(np.mean([lessons[index].is_exact.any() for index in seen])),
        iou_bound=float(np.mean([lessons[index].ious.max() for index in seen])),
        not_in_view_auroc=_auroc(not_in_view[unseen], not_in_view[seen]),
        refused=float(np.mean(not_in_view[unseen] > threshold)) if unseen else float("nan"),
        threshold=threshold,
        calibration_error=calibration_error(
            np.array([choices[index].probability for index in seen]),
            np.array([bool(lessons[index].is_exact[options[index]]) for index in seen]),
        ),
    )


def calibration_error(probabilities: np.ndarray, is_right: np.ndarray) -> float:
    """The expected calibration error: how far the mean probability lies from the share of right answers, over ten bins.

    Args:
        probabilities: Float [N] in [0, 1], N >= 1.
        is_right: Bool [N].
    """
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(probabilities[bins == index].mean() - is_right[bins == index].mean()) * np.mean(bins == index)
        for index in np.unique(bins)
    ]
    return float(np.sum(gaps))


def _auroc(higher: np.ndarray, lower: np.ndarray) -> float:
    if not len(higher) or not len(lower):
        return float("nan")
    return float(mannwhitneyu(higher, lower).statistic / (len(higher) * len(lower)))


def _index(lesson: Lesson, option: tuple[int, ...]) -> int:
    """Where an option stands among the singles and pairs of an event."""
    if len(option) == 1:
        return option[0]
    (row,) = np.flatnonzero((lesson.evidence.pairs_P2 == option).all(axis=1))
    return len(lesson.evidence.candidates_KD) + int(row)
