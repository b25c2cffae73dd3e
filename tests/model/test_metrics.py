"""Metrics against answers worked out by hand, and against independent implementations."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cs3_model.metrics import (
    IOU_THRESHOLDS,
    MaskScore,
    bootstrap,
    score_alternatives,
    score_masks,
    success_area,
    success_curve,
    summarise,
)


def columns(start: int, stop: int) -> np.ndarray:
    """A mask [10, 20] of whole columns, so that IoUs are ratios of column counts."""
    mask = np.zeros((10, 20), bool)
    mask[:, start:stop] = True
    return mask


def score(*ious: float, num_predicted: int, num_true: int) -> MaskScore:
    return MaskScore(matched_ious=ious, num_predicted=num_predicted, num_true=num_true)


def test_two_masks_are_matched_for_the_largest_sum_of_ious() -> None:
    """IoUs by hand: a-A 4/8, a-B 0, b-A 3/9, b-B 3/9; a-A with b-B is the best."""
    a, b = columns(0, 6), columns(5, 11)
    truth_a, truth_b = columns(2, 8), columns(8, 14)
    result = score_masks([b, a], [truth_a, truth_b])
    assert result.matched_ious == pytest.approx((4 / 8, 3 / 9))
    assert result.iou == result.iou_extra_free == pytest.approx((4 / 8 + 3 / 9) / 2)
    assert not result.is_exact


def test_of_alternatives_the_best_one_counts() -> None:
    """A mask of columns 0 to 8 has an IoU of 8/20 with the whole picture and of 8/10 with its left half."""
    result = score_alternatives([columns(0, 8)], [(columns(0, 20), columns(0, 10)), (columns(12, 16),)])
    assert result.matched_ious == pytest.approx((0.8,)) and result.iou == pytest.approx(0.4)
    assert result.finds_any and not result.is_exact
    assert not score_alternatives([columns(0, 8)], [(columns(0, 20),)]).finds_any
    with pytest.raises(ValueError, match="none may be empty"):
        score_alternatives([], [(columns(0, 8), columns(0, 0))])


def test_the_best_pair_may_have_to_part_for_the_best_sum() -> None:
    """q-A = 5/6 is the highest IoU, but with p-B = 4/9 it loses against p-A + q-B = 5/7 + 5/7."""
    truth_a, truth_b = columns(4, 10), columns(2, 9)
    p, q = columns(5, 11), columns(4, 9)
    result = score_masks([p, q], [truth_a, truth_b])
    assert result.matched_ious == pytest.approx((5 / 7, 5 / 7))


def test_an_extra_prediction_halves_one_score_and_leaves_the_other() -> None:
    result = score_masks([columns(0, 5), columns(10, 15)], [columns(0, 5)])
    assert (result.iou, result.iou_extra_free) == (0.5, 1.0) and not result.is_exact


def test_an_unmatched_true_mask_scores_zero() -> None:
    result = score_masks([columns(0, 5)], [columns(0, 5), columns(10, 15)])
    assert result.iou == result.iou_extra_free == 0.5 and not result.is_exact


def test_no_prediction_scores_zero() -> None:
    result = score_masks([], [columns(0, 5)])
    assert (result.iou, result.num_predicted, result.matched_ious) == (0.0, 0, ())
    assert not result.is_exact


def test_exact_needs_every_mask_to_overlap_by_half() -> None:
    """10 of 20 columns: an IoU of exactly one half counts."""
    assert score_masks([columns(0, 10)], [columns(0, 20)]).is_exact
    assert not score_masks([columns(0, 9)], [columns(0, 20)]).is_exact


@pytest.mark.parametrize(
    ("predicted", "true", "message"),
    [
        ([], [], "at least one true mask"),
        ([], [columns(3, 3)], "none may be empty"),
        ([np.ones((4, 4), bool)], [columns(0, 5)], r"one shape, got \[4, 4\], \[10, 20\]"),
    ],
)
def test_bad_masks_are_refused(predicted, true, message) -> None:
    with pytest.raises(ValueError, match=message):
        score_masks(predicted, true)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(1, 4))
def test_matching_agrees_with_trying_every_assignment(seed, num_predicted, num_true) -> None:
    rng = np.random.default_rng(seed)
    predicted = rng.random((num_predicted, 5, 6)) < 0.4
    true = rng.random((num_true, 5, 6)) < 0.4
    true[:, 0, 0] = True

    def iou(p: int, t: int) -> float:
        ours, theirs = set(np.flatnonzero(predicted[p])), set(np.flatnonzero(true[t]))
        return len(ours & theirs) / len(ours | theirs)

    few, many = sorted((num_predicted, num_true))
    pairs = [
        [
            (small, large) if num_predicted <= num_true else (large, small)
            for small, large in zip(range(few), chosen, strict=True)
        ]
        for chosen in permutations(range(many), few)
    ]
    best = max(sum(iou(p, t) for p, t in pairing) for pairing in pairs)
    result = score_masks(list(predicted), list(true))
    assert result.iou == pytest.approx(best / many)
    assert result.iou_extra_free == pytest.approx(best / num_true)


def test_the_success_curve_counts_scores_at_a_threshold_as_successes() -> None:
    curve = success_curve([0.15, 0.5, 1.0, 0.0])
    assert curve[0] == 1.0 and curve[3] == 0.75 and curve[4] == 0.5
    assert curve[10] == 0.5 and curve[11] == 0.25 and curve[20] == 0.25


def test_a_mean_of_ious_that_rounds_below_a_threshold_still_reaches_it() -> None:
    mean = (0.1 + 0.7) / 2
    assert mean < 0.4
    assert success_curve([mean])[8] == 1.0


@pytest.mark.parametrize(("iou", "area"), [(0.0, 0.025), (0.04, 0.025), (0.05, 0.075), (0.5, 0.525), (1.0, 1.0)])
def test_the_area_of_one_score_by_hand(iou, area) -> None:
    """A step that falls between thresholds k and k + 1 has k whole trapezoids and one half."""
    assert success_area(iou) == pytest.approx(area)


def test_the_area_of_a_data_set_is_the_mean_of_its_samples() -> None:
    ious = np.random.default_rng(1).random(50)
    curve = [np.mean([iou >= threshold for iou in ious]) for threshold in IOU_THRESHOLDS]
    by_trapezoids = sum((left + right) / 2 * 0.05 for left, right in pairwise(curve))
    assert np.mean([success_area(iou) for iou in ious]) == pytest.approx(by_trapezoids)


def test_scores_of_one_and_two_mask_samples_average_to_the_papers_total() -> None:
    """Fig. 7 and Table 1 of the paper agree only if samples, not masks, are averaged."""
    one, two = score(0.36678, num_predicted=1, num_true=1), score(0.5, 0.3041, num_predicted=2, num_true=2)
    mean = np.mean([one.iou] * 143 + [two.iou] * 471)
    assert two.iou == pytest.approx(0.40205) and mean == pytest.approx(0.3938, abs=5e-5)


def test_the_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(2).beta(0.5, 0.8, 300)
    ours = bootstrap(values, np.random.default_rng(3), num_resamples=5000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(4))
    assert ours.mean == values.mean()
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_samples_of_one_group_are_drawn_together() -> None:
    """Each value four times tells no more than each value once: the interval does not shrink."""
    values = np.random.default_rng(5).random(40)
    once = bootstrap(values, np.random.default_rng(6))
    repeated = bootstrap(np.repeat(values, 4), np.random.default_rng(6), groups=np.repeat(np.arange(40), 4).astype(str))
    apart = bootstrap(np.repeat(values, 4), np.random.default_rng(6))
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.1)
    assert apart.high - apart.low == pytest.approx((once.high - once.low) / 2, rel=0.15)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.1, 0.7, 0.4]
    assert bootstrap(values, np.random.default_rng(0)) == bootstrap(values, np.random.default_rng(0))


def test_a_summary_holds_both_penalties_and_the_exact_share() -> None:
    """Three samples by hand: a perfect pair, one object with an extra mask, and nothing found."""
    scores = [
        score(1.0, 1.0, num_predicted=2, num_true=2),
        score(0.6, num_predicted=2, num_true=1),
        score(num_predicted=0, num_true=1),
    ]
    summary = summarise(scores, ["a", "b", "c"])
    assert summary.num_samples == 3
    assert summary.iou.mean == pytest.approx((1.0 + 0.3) / 3)
    assert summary.iou_extra_free.mean == pytest.approx((1.0 + 0.6) / 3)
    assert summary.auc.mean == pytest.approx((1.0 + 0.325 + 0.025) / 3)
    assert summary.auc_extra_free.mean == pytest.approx((1.0 + 0.625 + 0.025) / 3)
    assert summary.exact.mean == pytest.approx(1 / 3)
    assert 0.0 <= summary.iou.low <= summary.iou.mean <= summary.iou.high <= 1.0
