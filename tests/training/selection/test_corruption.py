"""How evidence is spoilt: each rate alone, on an event whose numbers are known."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from cs3_model.types import Role
from tests.training.selection.selection_scene import SIDE, scene
from training.selection.corruption import CorruptionRates, corrupted
from training.selection.selection_events import SelectionEvent

NEVER = CorruptionRates(**{field.name: 0.0 for field in fields(CorruptionRates)})


def draws(rates: CorruptionRates, event: SelectionEvent | None = None) -> list[SelectionEvent]:
    return [corrupted(event or scene(), np.random.default_rng(seed), rates) for seed in range(30)]


def test_without_corruption_candidates_stay_and_motion_changes_its_speed_alone() -> None:
    event = scene()
    for draw in draws(NEVER):
        assert (draw.candidates.masks == event.candidates.masks).all()
        assert draw.candidates.roles == event.candidates.roles
        factor = draw.after.velocity[0, -1, 0] / 0.4
        assert 0.4 <= factor <= 2.0
        np.testing.assert_allclose(draw.after.velocity, event.after.velocity * factor, rtol=1e-6)
        np.testing.assert_allclose(draw.before.velocity, event.before.velocity * factor, rtol=1e-6)
        assert np.corrcoef(draw.candidates.logits.ravel(), event.candidates.logits.ravel())[0, 1] > 0.9999


def test_hands_may_be_missing() -> None:
    for draw in draws(replace(NEVER, all_hands_missing=1.0)):
        assert draw.candidates.roles == (Role.AUDIO_VISUAL,)


def test_where_all_candidates_are_lost_one_is_invented() -> None:
    for draw in draws(replace(NEVER, candidate_missing=1.0)):
        assert len(draw.candidates.roles) == len(draw.candidates.masks) == len(draw.candidates.scores) == 1
        assert draw.candidates.masks.any()


def test_roles_may_be_wrong() -> None:
    roles = {draw.candidates.roles for draw in draws(replace(NEVER, role_wrong=1.0))}
    assert len(roles) > 10


def test_a_useless_map_says_nothing_of_the_place() -> None:
    event = scene()
    likeness = [
        np.corrcoef(draw.candidates.logits.ravel(), event.candidates.logits.ravel())[0, 1]
        for draw in draws(replace(NEVER, map_useless=1.0))
    ]
    assert abs(np.mean(likeness)) < 0.3


def test_what_collided_may_not_budge() -> None:
    event, found = scene(), set()
    moving_part = event.true_masks[1]
    for draw in draws(replace(NEVER, stands_still=1.0)):
        beside = draw.after.velocity[0, -1, 0]
        share = draw.after.velocity[..., 0][moving_part] / beside
        assert share.max() <= 0.3 or share.min() == pytest.approx(1.0)
        found.add(bool(share.max() <= 0.3))
    assert found == {True, False}  # it is the one that moves, both, or the other one


def test_where_nothing_in_view_collided_nothing_is_held_still() -> None:
    for draw in draws(replace(NEVER, stands_still=1.0), scene(in_view=False)):
        assert (draw.after.velocity[:, SIDE // 2 :, 0] == draw.after.velocity[0, -1, 0]).all()


def test_something_else_may_move() -> None:
    counts = [
        int(np.any(draw.after.velocity[:, : SIDE // 2], axis=-1).sum())
        for draw in draws(replace(NEVER, something_else_moves=1.0))
    ]
    assert sum(count > 0 for count in counts) > 15


def test_motion_may_be_unknown() -> None:
    for draw in draws(replace(NEVER, motion_missing=1.0)):
        assert draw.before is None and draw.after is None


def test_a_standing_camera_explains_more_and_a_moving_one_less() -> None:
    assert all(draw.after.explained >= 0.5 for draw in draws(replace(NEVER, camera_stands=1.0)))
    assert all(draw.after.explained <= 0.5 for draw in draws(NEVER))


def test_truth_is_as_it_was_unless_the_lens_is_another() -> None:
    rates = replace(CorruptionRates(), other_lens=0.0)
    assert all((draw.true_masks == scene().true_masks).all() for draw in draws(rates))
    shapes = {mask.shape for draw in draws(CorruptionRates()) for mask in draw.true_masks}
    assert shapes > {(SIDE, SIDE)}
