"""Other lenses: what a crop makes of masks, motion and candidates."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.types import Role
from tests.training.selection.selection_scene import SIDE, scene, square
from training.selection.framing import Crop, reframed


def test_a_closer_view_makes_areas_four_times_as_large_and_speeds_twice() -> None:
    crop = Crop(left=32, top=40, zoom=2.0, size_hw=(96, SIDE))
    (mask,) = crop.masks(square(50, 44, 20)[None])
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max() + 1) == pytest.approx((20, 60), abs=1)
    assert (columns.min(), columns.max() + 1) == pytest.approx((24, 64), abs=1)
    velocity = crop.motion(scene().after).velocity
    assert velocity.shape == (96, SIDE, 2)
    assert velocity[:, 68:, 0] == pytest.approx(np.full((96, 60), 0.8))
    assert not velocity[:, :62].any()


def test_in_a_mirror_everything_lies_and_moves_the_other_way_round() -> None:
    crop = Crop(left=0, top=0, zoom=1.0, size_hw=(SIDE, SIDE), mirrored=True)
    (mask,) = crop.masks(square(100, 4, 10)[None])
    assert (mask == square(100, 114, 10)).all()
    velocity = crop.motion(scene().after).velocity
    assert velocity[:, : SIDE // 2, 0] == pytest.approx(np.full((SIDE, SIDE // 2), -0.4))
    assert not velocity[:, SIDE // 2 :].any() and not velocity[..., 1].any()


def test_unknown_motion_stays_unknown() -> None:
    assert Crop(left=0, top=0, zoom=2.0, size_hw=(72, SIDE)).motion(None) is None


@pytest.mark.parametrize("seed", range(20))
def test_what_collided_stays_in_the_picture_and_candidates_outside_go(seed) -> None:
    event = scene()
    seen = reframed(event, np.random.default_rng(seed))
    height, width = seen.candidates.logits.shape
    assert width == SIDE and height in (72, 96, 128)
    assert seen.candidates.masks.shape == (len(seen.candidates.roles), height, width)
    assert seen.candidates.masks.any(axis=(1, 2)).all()
    assert seen.true_masks.shape == (2, height, width)
    assert len(seen.candidates.scores) == len(seen.candidates.roles)
    assert {Role.LEFT_HAND, Role.AUDIO_VISUAL} <= set(seen.candidates.roles)
    areas = seen.true_masks.sum(axis=(1, 2)) / np.array([400, 256])
    assert (areas >= 0.65).all()  # 0.7 of each, less what rounding to cells takes


def test_where_nothing_in_view_collided_the_crop_lies_anywhere() -> None:
    seen = [reframed(scene(in_view=False), np.random.default_rng(seed)) for seed in range(10)]
    assert all(event.true_masks.shape == (0, *event.candidates.logits.shape) for event in seen)
    assert len({event.candidates.logits.tobytes() for event in seen}) == 10
