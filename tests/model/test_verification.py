"""Collision verification on drawn rectangles with answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.types import Candidate, Reason, Role, Verdict
from cs3_model.verification import VerificationConfig, verify_collision

LEFT, RIGHT, HEARD = Role.LEFT_HAND, Role.RIGHT_HAND, Role.AUDIO_VISUAL
CONFIG = VerificationConfig()


def candidate(role: Role, x_min: int, x_max: int, y_min: int = 0, y_max: int = 20, score: float = 0.5) -> Candidate:
    mask = np.zeros((100, 200), bool)
    mask[y_min:y_max, x_min:x_max] = True
    return Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=score, reason="proposed")


def roles(result) -> list[Role]:
    return [mask.role for mask in result.masks]


def test_the_closest_pair_collides() -> None:
    result = verify_collision([candidate(LEFT, 0, 20), candidate(RIGHT, 50, 70), candidate(HEARD, 25, 40)], CONFIG)
    assert result.verdict is Verdict.TWO_OBJECTS and result.reason is Reason.CLOSEST_PAIR
    assert roles(result) == [LEFT, HEARD]  # 6 px apart; right and heard are 11 px apart
    assert [other.role for other in result.rejected] == [RIGHT]
    assert result.masks[0].contact_xy[0] == 19.0 and result.masks[1].contact_xy[0] == 25.0


@pytest.mark.parametrize(("gap", "verdict"), [(14, Verdict.TWO_OBJECTS), (15, Verdict.ONE_OBJECT)])
def test_contact_is_strictly_nearer_than_beta(gap: int, verdict: Verdict) -> None:
    """Masks whose nearest pixel centres are `gap` apart; beta is 15."""
    result = verify_collision([candidate(LEFT, 0, 20), candidate(RIGHT, 19 + gap, 60)], CONFIG)
    assert result.verdict is verdict


def test_far_objects_leave_the_right_hand() -> None:
    result = verify_collision([candidate(HEARD, 0, 20), candidate(LEFT, 60, 80), candidate(RIGHT, 120, 140)], CONFIG)
    assert result.verdict is Verdict.ONE_OBJECT and result.reason is Reason.SINGLE_RIGHT and roles(result) == [RIGHT]


def test_without_a_right_hand_it_is_the_left() -> None:
    result = verify_collision([candidate(HEARD, 0, 20), candidate(LEFT, 60, 80)], CONFIG)
    assert result.reason is Reason.SINGLE_LEFT and roles(result) == [LEFT]


def test_the_sound_alone_gives_its_object() -> None:
    result = verify_collision([candidate(HEARD, 0, 20)], CONFIG)
    assert result.verdict is Verdict.ONE_OBJECT and result.reason is Reason.SINGLE_MASK and roles(result) == [HEARD]


def test_ties_go_to_the_hands_first() -> None:
    """All three overlap one another a little: each distance is 0."""
    overlapping = [candidate(HEARD, 10, 40), candidate(LEFT, 0, 15), candidate(RIGHT, 12, 30, y_min=10, y_max=60)]
    assert roles(verify_collision(overlapping, CONFIG)) == [RIGHT, LEFT]


def test_nearly_equal_masks_merge_and_keep_their_roles() -> None:
    result = verify_collision([candidate(HEARD, 0, 20, score=0.9), candidate(RIGHT, 0, 22, score=0.4)], CONFIG)
    assert result.verdict is Verdict.ONE_OBJECT and roles(result) == [RIGHT | HEARD]
    assert result.masks[0].score == 0.9 and result.masks[0].box_xyxy == (0.0, 0.0, 22.0, 20.0)


@pytest.mark.parametrize(("shift", "count"), [(5, 2), (4, 1)])
def test_merging_is_strictly_above_alpha(shift: int, count: int) -> None:
    """Two 20 px wide masks shifted by 5 overlap by 15 / 25 = 0.6 = alpha, by 4 by 16 / 24."""
    result = verify_collision([candidate(LEFT, 0, 20), candidate(RIGHT, shift, 20 + shift)], CONFIG)
    assert len(result.masks) == count


def test_merging_is_transitive() -> None:
    """Left overlaps heard by 17 / 23, heard overlaps right by the same; left and right by 14 / 26 only."""
    result = verify_collision([candidate(LEFT, 0, 20), candidate(HEARD, 3, 23), candidate(RIGHT, 6, 26)], CONFIG)
    assert roles(result) == [LEFT | HEARD | RIGHT] and result.masks[0].box_xyxy[:3:2] == (0.0, 26.0)


def test_a_merged_pair_counts_as_its_best_member() -> None:
    result = verify_collision([candidate(LEFT, 100, 120), candidate(HEARD, 0, 20), candidate(RIGHT, 1, 21)], CONFIG)
    assert result.reason is Reason.SINGLE_RIGHT and roles(result) == [RIGHT | HEARD]


def test_beta_scales_with_the_reference_width() -> None:
    """Distance 25 in a 200 px wide frame; beta 15 in a 100 px wide one is 30 here."""
    pair = [candidate(LEFT, 0, 20), candidate(RIGHT, 44, 60)]
    assert verify_collision(pair, CONFIG).verdict is Verdict.ONE_OBJECT
    assert verify_collision(pair, VerificationConfig(reference_width_px=100)).verdict is Verdict.TWO_OBJECTS


def test_empty_masks_are_rejected() -> None:
    result = verify_collision([candidate(LEFT, 5, 5), candidate(RIGHT, 0, 20)], CONFIG)
    assert result.reason is Reason.SINGLE_MASK and [other.role for other in result.rejected] == [LEFT]
    nothing = verify_collision([candidate(LEFT, 5, 5)], CONFIG)
    assert nothing.verdict is Verdict.NONE and nothing.reason is Reason.NO_CANDIDATE and len(nothing.rejected) == 1
    assert verify_collision([], CONFIG).verdict is Verdict.NONE


@pytest.mark.parametrize("field", [{"merge_iou": 1.1}, {"contact_distance_px": -1.0}, {"reference_width_px": -5}])
def test_bad_thresholds_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        VerificationConfig(**field)
