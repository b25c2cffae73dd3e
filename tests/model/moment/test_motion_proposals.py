"""Regions that moved, on made fields of velocity."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.moment.motion import Motion
from cs3_model.moment.motion_proposals import ProposalConfig, propose


def field(*patches: tuple[int, int, int, int, float]) -> Motion:
    """Still but for rectangles (left, top, right, bottom) that move to the right at a speed."""
    velocity = np.zeros((96, 128, 2), np.float32)
    for left, top, right, bottom, speed in patches:
        velocity[top:bottom, left:right, 0] = speed
    return Motion(velocity=velocity, explained=0.9, similarity=0.95)


def test_a_moving_region_is_proposed_at_the_scale_of_the_frame() -> None:
    """The rectangle (40, 20) to (60, 50) of a field of 128 x 96 is (200, 100) to (300, 250) of a frame of 640 x 480."""
    proposals = propose([field((40, 20, 60, 50, 0.5))], (480, 640), ProposalConfig(levels=(0.5,)))
    (found,) = proposals
    assert found.box_xyxy == pytest.approx((200, 100, 300, 250), abs=10)
    assert 200 <= found.point_xy[0] <= 300 and 100 <= found.point_xy[1] <= 250
    assert found.speed == pytest.approx(0.5, abs=0.05)


def test_the_regions_with_the_most_motion_come_first() -> None:
    small, large = (10, 10, 20, 20, 0.6), (60, 40, 100, 80, 0.5)
    first, second = propose([field(small, large)], (96, 128), ProposalConfig(levels=(0.5,)))
    assert first.box_xyxy[0] > 50 > second.box_xyxy[0]
    (only,) = propose([field(small, large)], (96, 128), ProposalConfig(blobs=1, levels=(0.5,)))
    assert only == first


def test_noise_proposes_nothing() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.003, (96, 128, 2)).astype(np.float32)
    assert propose([Motion(velocity=noise, explained=0.9, similarity=0.9)], (480, 640)) == []


def test_without_any_known_motion_there_is_no_proposal() -> None:
    assert propose([], (480, 640)) == []


def test_specks_are_no_objects() -> None:
    assert propose([field((50, 50, 51, 51, 5.0))], (96, 128), ProposalConfig(least_area=0.005)) == []


@pytest.mark.parametrize("change", [{"blobs": 0}, {"levels": ()}, {"levels": (1.5,)}])
def test_bad_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        ProposalConfig(**change)  # type: ignore[arg-type]
