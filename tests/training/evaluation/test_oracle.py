"""The oracle of Table 3 on drawn rectangles."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.types import BoolMask, Candidate, Reason, Role, Verdict
from training.evaluation.oracle import choose_oracle

LEFT, RIGHT, HEARD = Role.LEFT_HAND, Role.RIGHT_HAND, Role.AUDIO_VISUAL


def columns(x_min: int, x_max: int) -> BoolMask:
    mask = np.zeros((10, 100), bool)
    mask[:, x_min:x_max] = True
    return mask


def candidate(role: Role, x_min: int, x_max: int) -> Candidate:
    mask = columns(x_min, x_max)
    return Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=0.5, reason="proposed")


CANDIDATES = [candidate(RIGHT, 0, 20), candidate(LEFT, 40, 60), candidate(HEARD, 10, 30)]


def test_each_true_mask_gets_its_best_candidate() -> None:
    result = choose_oracle(CANDIDATES, [columns(40, 58), columns(0, 20)])
    assert result.verdict is Verdict.TWO_OBJECTS and result.reason is Reason.SELECTED
    assert [mask.role for mask in result.masks] == [LEFT, RIGHT] and [other.role for other in result.rejected] == [
        HEARD
    ]
    assert result.masks[0].reason == "the oracle takes it, IoU 0.90"


def test_the_sum_decides_not_the_first_come() -> None:
    """Truth A (5 to 25) overlaps right and heard by 15/25 each; truth B (10 to 30) overlaps heard by 1, right by 1/3:
    A must take right, so that B gets heard."""
    result = choose_oracle(CANDIDATES, [columns(5, 25), columns(10, 30)])
    assert [mask.role for mask in result.masks] == [RIGHT, HEARD]


def test_one_true_mask_takes_one_candidate() -> None:
    result = choose_oracle(CANDIDATES, [columns(12, 30)])
    assert result.verdict is Verdict.ONE_OBJECT and result.masks[0].role is HEARD


def test_of_two_hands_that_hold_one_object_the_better_mask_is_taken() -> None:
    both = [candidate(RIGHT, 2, 20), candidate(LEFT, 0, 20), candidate(HEARD, 40, 60)]
    assert [mask.role for mask in choose_oracle(both, [columns(0, 20)]).masks] == [LEFT]


def test_candidates_that_overlap_nothing_are_left() -> None:
    assert choose_oracle(CANDIDATES, [columns(0, 20), columns(80, 90)]).verdict is Verdict.ONE_OBJECT
    nothing = choose_oracle(CANDIDATES, [columns(80, 90)])
    assert nothing.verdict is Verdict.NONE and len(nothing.rejected) == 3
    assert choose_oracle([], [columns(0, 1)]).verdict is Verdict.NONE


@pytest.mark.parametrize("count", [0, 3])
def test_one_or_two_true_masks_are_expected(count: int) -> None:
    with pytest.raises(ValueError, match=f"one or two masks, got {count}"):
        choose_oracle(CANDIDATES, [columns(0, 5)] * count)


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape of the candidates' masks, got \[5, 5\]"):
        choose_oracle(CANDIDATES, [np.ones((5, 5), bool)])
