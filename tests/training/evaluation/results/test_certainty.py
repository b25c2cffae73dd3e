"""What a published confidence is worth, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.metrics import MaskScore
from cs3_model.types import Verdict
from training.evaluation.results.certainty import (
    auroc,
    calibration_error,
    certainty_section,
    detection_by_scenario,
    published,
)
from training.evaluation.runner import SampleResult


def record(
    confidence: float | None, *, iou: float | None, not_in_view: float = 0.1, scenario: str = ""
) -> SampleResult:
    """`iou` None: nothing can be seen. An answer that rather believes so shows no mask."""
    score = None if iou is None else MaskScore(matched_ious=(iou,), num_predicted=1, num_true=1)
    return SampleResult(
        sample_id="a",
        group="a",
        verdict=Verdict.NONE if not_in_view >= 0.5 else Verdict.ONE_OBJECT,
        score=score,
        answer="",
        strata={"scenario": scenario},
        confidence=confidence,
        not_in_view=not_in_view,
    )


def test_right_is_what_is_exact_or_shows_no_mask_where_nothing_can_be_seen() -> None:
    records = [
        record(0.9, iou=0.5),
        record(0.8, iou=0.4),
        record(0.7, iou=None, not_in_view=0.7),
        record(0.6, iou=None),
        record(None, iou=1.0),
    ]
    confidences, is_right = published(records)
    assert confidences.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert is_right.tolist() == [True, False, True, False]


def test_the_calibration_error_weighs_each_bin_by_its_answers() -> None:
    """Three at 0.95 of which two are right, and one at 0.15 that is wrong: 3/4 |0.95 - 2/3| + 1/4 |0.15 - 0|."""
    error = calibration_error(np.array([0.95, 0.95, 0.95, 0.15]), np.array([True, True, False, False]))
    assert error == pytest.approx(0.75 * (0.95 - 2 / 3) + 0.25 * 0.15)


def test_detection_counts_pairs_and_the_operating_point_of_five_percent() -> None:
    """Of 20 visible ones the threshold lies between the highest two, 0.19 and 0.20."""
    seen = [record(0.5, iou=1.0, not_in_view=index / 100) for index in range(1, 21)]
    unseen = [record(0.5, iou=None, not_in_view=value, scenario=name) for value, name in ((0.9, "a"), (0.105, "b"))]
    found = detection_by_scenario([*seen, *unseen])
    assert found["a"].auroc == 1.0 and found["b"].auroc == 0.5
    assert found["all"].auroc == 0.75 and found["all"].num_samples == 2
    assert (found["a"].refused, found["b"].refused, found["all"].refused) == (1.0, 0.0, 0.5)
    assert detection_by_scenario(seen) == {}
    assert np.isnan(auroc(np.array([]), np.array([1.0])))


def test_the_surest_answers_have_the_risk_of_their_own() -> None:
    """Five answers, the two least sure ones wrong: 40 % wrong of all, none of the surest three."""
    records = [record(value, iou=1.0 if value > 0.5 else 0.0) for value in (0.9, 0.8, 0.7, 0.4, 0.3)]
    section = certainty_section(records, "row", 0)
    cells = next(line for line in section.splitlines() if line.startswith("| wrong")).split("|")
    assert [cell.split()[0] for cell in cells[2:7]] == ["40.00", "25.00", "0.00", "0.00", "0.00"]
    assert "| 0.9-1.0 | 1 | 0.90 | 1.00 |" in section
    assert certainty_section([record(None, iou=1.0)], "row", 0) == ""
