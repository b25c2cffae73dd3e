"""Scores of drawn events, computed by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cs3_ros.replay.reading.ground_truth import TrueCollision
from cs3_ros.replay.records import EventRecord, MaskRecord
from cs3_ros.replay.reporting.scoring import BagScore, pooled_metrics, score_bag
from cs3_ros.replay.rle import encode_mask

pytestmark = pytest.mark.ros
MS = 1_000_000


def rows(first: int, last: int):
    mask = np.zeros((10, 10), bool)
    mask[first:last] = True
    return encode_mask(mask)


def event(event_id: int, onset_ms: float, *masks) -> EventRecord:
    records = tuple(
        MaskRecord(role=1, role_name="", score=1.0, box_xyxy=(), contact_xy=None, reason="", segmentation=mask)
        for mask in masks
    )
    return EventRecord(
        event_id=event_id,
        onset_ns=round(onset_ms * MS),
        onset_s=onset_ms / 1000,
        strength_db=20.0,
        frame_ns=7,
        verdict=len(masks),
        reason="",
        detail="",
        masks=records,
        rejected=(),
    )


TRUTH = [
    TrueCollision(onset_ns=1000 * MS, frame_ns=7, masks=(rows(0, 4), rows(6, 10))),
    TrueCollision(onset_ns=2000 * MS, frame_ns=8, masks=(rows(0, 4),)),
    TrueCollision(onset_ns=3000 * MS),
]
EVENTS = [
    event(0, 1020, rows(0, 4), rows(6, 8)),  # IoUs 1 and 0.5
    event(1, 1960, rows(0, 2), rows(8, 10)),  # IoUs 0.5 and none, of two masks
    event(2, 2500),
]


def test_onsets_match_one_to_one_within_each_window() -> None:
    onsets = pooled_metrics([("bag", score_bag(EVENTS, TRUTH))])["onsets"]
    assert (onsets["25_ms"]["hits"], onsets["25_ms"]["spurious"], onsets["25_ms"]["missed"]) == (1, 2, 2)
    assert (onsets["50_ms"]["hits"], onsets["50_ms"]["spurious"], onsets["50_ms"]["missed"]) == (2, 1, 1)
    assert onsets["50_ms"]["precision"] == onsets["50_ms"]["recall"] == onsets["50_ms"]["f_measure"] == 2 / 3


def test_masks_are_scored_where_the_onset_was_found_and_missed_ones_count_as_nothing() -> None:
    score = score_bag(EVENTS[1:], TRUTH)
    metrics = pooled_metrics([("bag", score)])
    assert metrics["masks_of_found_onsets"]["iou"]["mean"] == pytest.approx(0.25)  # 0.5 over two masks
    assert metrics["masks"]["iou"]["mean"] == pytest.approx(0.125)
    assert metrics["masks"]["num_samples"] == 2 and metrics["masks"]["num_of_another_frame"] == 2


def test_exact_pairs_are_counted_among_collisions_of_two_visible_objects() -> None:
    masks = pooled_metrics([("bag", score_bag(EVENTS, TRUTH))])["masks"]
    assert (masks["exact_pair"], masks["num_pairs"]) == (1.0, 1)
    assert masks["exact"]["mean"] == 0.5


def test_bags_are_pooled_by_their_counts() -> None:
    whole, nothing = score_bag(EVENTS[:1], TRUTH[:1]), score_bag([], TRUTH)
    onsets = pooled_metrics([("a", whole), ("b", nothing)])["onsets"]["50_ms"]
    assert (onsets["hits"], onsets["missed"], onsets["precision"], onsets["recall"]) == (1, 3, 1.0, 0.25)


def test_collisions_out_of_view_are_counted_by_what_was_said_of_them() -> None:
    """One is heard and rightly answered without a mask, one gets a mask, one is missed."""
    truth = [TrueCollision(onset_ns=at_ms * MS, not_in_view=True) for at_ms in (1000, 2500, 4000)]
    metrics = pooled_metrics([("bag", score_bag(EVENTS, truth)), ("other", score_bag(EVENTS, TRUTH))])
    assert metrics["not_in_view"] == {"heard": 2, "without_masks": 1, "missed": 1}


def test_scores_survive_json() -> None:
    score = score_bag(EVENTS, TRUTH)
    assert BagScore.from_json(json.loads(json.dumps(score.as_json()))) == score


def test_the_nearest_pair_tells_how_far_truth_is_off() -> None:
    assert score_bag([event(0, 5000)], TRUTH).nearest_ms == 2000.0
    assert score_bag([], TRUTH).nearest_ms is None


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="masks must have one shape"):
        score_bag([event(0, 1000, encode_mask(np.ones((5, 5), bool)))], TRUTH[:1])
