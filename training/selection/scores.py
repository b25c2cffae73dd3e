"""How well a selection chooses and how well it knows when nothing in view collided, on events of the reduced grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cs3_model.moment.choice import SelectionConfig
from cs3_model.moment.selection import Choice, LearnedSelection
from training.evaluation.results.certainty import LOST, auroc, calibration_error
from training.selection.fit import Lesson


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
    """Expected calibration error of the published confidence, of all events, in ten bins."""


def score_selection(selection: LearnedSelection, lessons: Sequence[Lesson]) -> SelectionScore:
    """Runs a selection on events and scores it.

    Raises:
        ValueError: if no event has anything in view.
    """
    choices = [selection.choose(lesson.evidence) for lesson in lessons]
    options = [lesson.index_of(choice.option) for lesson, choice in zip(lessons, choices, strict=True)]
    seen = [index for index, lesson in enumerate(lessons) if lesson.in_view]
    unseen = [index for index, lesson in enumerate(lessons) if not lesson.in_view]
    if not seen:
        raise ValueError("no event has a collision in view: nothing can be scored")
    not_in_view = np.array([choice.not_in_view for choice in choices])
    threshold = float(np.quantile(not_in_view[seen], 1.0 - LOST))
    return SelectionScore(
        num_in_view=len(seen),
        num_not_in_view=len(unseen),
        exact=float(np.mean([lessons[index].is_exact[options[index]] for index in seen])),
        iou=float(np.mean([lessons[index].ious[options[index]] for index in seen])),
        exact_bound=float(np.mean([lessons[index].is_exact.any() for index in seen])),
        iou_bound=float(np.mean([lessons[index].ious.max() for index in seen])),
        not_in_view_auroc=auroc(not_in_view[unseen], not_in_view[seen]),
        refused=float(np.mean(not_in_view[unseen] > threshold)) if unseen else float("nan"),
        threshold=threshold,
        calibration_error=calibration_error(*_published(lessons, choices, SelectionConfig().not_in_view)),
    )


def _published(
    lessons: Sequence[Lesson], choices: Sequence[Choice], limit: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The confidence of each answer, and whether it is right."""
    confidences, right = [], []
    for lesson, choice in zip(lessons, choices, strict=True):
        refused = choice.not_in_view >= limit
        confidences.append(choice.not_in_view if refused else choice.probability)
        right.append(not lesson.in_view if refused else bool(lesson.is_exact[lesson.index_of(choice.option)]))
    return np.array(confidences), np.array(right)
