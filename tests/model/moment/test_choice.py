"""From a choice to a result: with a selection whose answer is fixed by its biases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.moment.choice import SelectionConfig, choose_likeliest
from cs3_model.moment.moment import Moment
from cs3_model.moment.selection import LearnedSelection, SelectionNetwork
from cs3_model.types import Candidate, CollisionResult, Reason, Role, Verdict
from cs3_model.verification import VerificationConfig


def selection(*, pair: float = 0.0, not_in_view: float = 0.0) -> LearnedSelection:
    """All weights are zero but those of "this is a pair" and of "nothing in view collided"."""
    network = SelectionNetwork()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.option[0].weight[0, -1] = 1.0
        network.option[2].weight[0, 0] = pair
        network.scene[2].bias[:] = torch.tensor([not_in_view, -20.0])
    return LearnedSelection([network], name="fixed")


def candidate(role: Role, left: int, score: float = 0.9) -> Candidate:
    mask = np.zeros((96, 128), bool)
    mask[40:60, left : left + 20] = True
    return Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=score, reason="proposed")


HELD, HEARD = candidate(Role.RIGHT_HAND, 20), candidate(Role.AUDIO_VISUAL, 44)


def choose(
    weights: LearnedSelection, *candidates: Candidate, doubt: float = 0.0, limit: float = 0.5
) -> CollisionResult:
    return choose_likeliest(
        candidates,
        np.zeros((24, 32), np.float32),
        Moment(unknown=("no frame after the onset",)),
        weights,
        config=SelectionConfig(not_in_view=limit),
        verification=VerificationConfig(),
        onset_doubt=doubt,
    )


def test_the_likeliest_pair_is_the_result_with_its_probability() -> None:
    """Logits 8 for the pair and 0 for two singles and for nothing in view: e^8 / (e^8 + 3)."""
    result = choose(selection(pair=8.0), HELD, HEARD)
    assert (result.verdict, result.reason) == (Verdict.TWO_OBJECTS, Reason.LIKELIEST)
    assert [mask.role for mask in result.masks] == [Role.RIGHT_HAND, Role.AUDIO_VISUAL]
    assert result.confidence == pytest.approx(np.exp(8) / (np.exp(8) + 3), abs=1e-5)
    assert [mask.contact_xy for mask in result.masks] == [
        (39.0, pytest.approx(50, abs=10)),
        (44.0, pytest.approx(50, abs=10)),
    ]
    assert "no frame after the onset" in result.detail


def test_a_single_object_is_a_result_of_one() -> None:
    result = choose(selection(pair=-8.0), HELD, HEARD)
    assert result.verdict is Verdict.ONE_OBJECT
    assert result.masks[0].contact_xy is None
    assert [item.reason for item in result.rejected] == ["another option is likelier"]


def test_nothing_in_view_is_said_with_all_candidates_rejected() -> None:
    result = choose(selection(not_in_view=6.0), HELD, HEARD)
    assert (result.verdict, result.reason) == (Verdict.NONE, Reason.NOT_IN_VIEW)
    assert result.confidence == pytest.approx(np.exp(6) / (np.exp(6) + 3), abs=1e-4)
    assert len(result.rejected) == 2


def test_the_threshold_decides_from_where_on_nothing_is_published() -> None:
    assert choose(selection(not_in_view=6.0), HELD, HEARD, limit=1.0).verdict is not Verdict.NONE


def test_a_doubtful_onset_lowers_the_confidence_of_the_answer() -> None:
    sure, doubtful = (choose(selection(pair=8.0), HELD, HEARD, doubt=doubt) for doubt in (0.0, 0.4))
    assert doubtful.confidence == pytest.approx(0.6 * sure.confidence)
    assert choose(selection(pair=8.0), HELD, HEARD, doubt=0.8).reason is Reason.NOT_IN_VIEW


def test_who_proposed_the_same_object_lends_it_the_role() -> None:
    moved = candidate(Role.MOVED, 21)
    result = choose(selection(pair=-8.0), HELD, moved)
    assert result.masks[0].role == Role.RIGHT_HAND | Role.MOVED


def test_empty_masks_are_rejected_and_nothing_found_is_said() -> None:
    empty = Candidate(
        role=Role.MOVED, mask=np.zeros((96, 128), bool), box_xyxy=(0, 0, 0, 0), score=0.5, reason="proposed"
    )
    result = choose(selection(), empty)
    assert (result.verdict, result.reason) == (Verdict.NONE, Reason.NO_CANDIDATE)
    assert [item.reason for item in result.rejected] == ["its mask is empty"]


@pytest.mark.parametrize("value", [0.0, 1.5, float("nan")])
def test_bad_thresholds_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not_in_view"):
        SelectionConfig(not_in_view=value)
