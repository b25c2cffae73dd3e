"""What the selection learns from, and how its probabilities are calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.metrics import score_masks
from training.selection.fit import fit_line, option_scores


def square(row: int, column: int, side: int) -> np.ndarray:
    mask = np.zeros((32, 32), bool)
    mask[row : row + side, column : column + side] = True
    return mask


CUP, LID, KNIFE = square(0, 0, 8), square(16, 16, 8), square(0, 16, 8)
HALF_CUP = CUP & square(0, 0, 4)
PAIRS = np.array([(0, 1), (0, 2), (1, 2)], np.intp)


@pytest.mark.parametrize("true", [[CUP, LID], [LID, CUP], [CUP], [KNIFE, square(1, 16, 8)]])
def test_all_options_score_as_each_by_itself(true) -> None:
    masks = np.stack([CUP, square(17, 16, 8), HALF_CUP])
    ious, is_exact = option_scores(masks, PAIRS, np.stack(true))
    options = [(0,), (1,), (2,), *map(tuple, PAIRS.tolist())]
    scores = [score_masks([masks[index] for index in option], true) for option in options]
    assert ious == pytest.approx([score.iou for score in scores])
    assert is_exact.tolist() == [score.is_exact for score in scores]


def test_a_single_candidate_has_no_pairs() -> None:
    no_pairs = np.zeros((0, 2), np.intp)
    ious, is_exact = option_scores(CUP[None], no_pairs, np.stack([CUP, LID]))
    assert ious.tolist() == [0.5] and is_exact.tolist() == [False]
    assert option_scores(CUP[None], no_pairs, CUP[None])[1].tolist() == [True]


def test_where_nothing_is_in_view_no_option_is_right() -> None:
    ious, is_exact = option_scores(np.stack([CUP, LID]), PAIRS[:1], np.zeros((0, 32, 32), bool))
    assert ious.tolist() == [0.0, 0.0, 0.0] and not is_exact.any()


def test_a_line_corrects_what_claims_too_much() -> None:
    """What claimed 0.9 happened in 6 of 10 cases, 0.1 in 4 of 10; many cases outweigh the wish for no change."""
    line = fit_line([0.9, 0.1] * 1000, outcomes())
    assert line(0.9) == pytest.approx(0.6, abs=0.01)
    assert line(0.1) == pytest.approx(0.4, abs=0.01)


def outcomes() -> list[bool]:
    """Pairs for (0.9, 0.1): of ten, six first ones and four second ones happened."""
    return [value for index in range(1000) for value in (index % 10 < 6, index % 10 < 4)]


def test_few_events_change_little() -> None:
    line = fit_line([0.5], [True])
    assert 0.5 < line(0.5) < 0.65
