"""The overlay shows what was decided, and never hides that weights are random."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.overlay import draw_overlay, role_name
from cs3_model.types import AudioWindow, Candidate, CollisionResult, Reason, Role, Verdict, no_collision

ORANGE, GREY = np.array([255, 176, 0]), np.array([190, 190, 190])


def candidate(role: Role, x_min: int, x_max: int) -> Candidate:
    mask = np.zeros((200, 300), bool)
    mask[50:150, x_min:x_max] = True
    return Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=0.5, reason="")


@pytest.fixture
def result() -> CollisionResult:
    return CollisionResult(
        verdict=Verdict.ONE_OBJECT,
        reason=Reason.SINGLE_RIGHT,
        detail="far apart",
        masks=(candidate(Role.RIGHT_HAND, 50, 150),),
        rejected=(candidate(Role.LEFT_HAND, 200, 290),),
    )


def image_of(overlay: np.ndarray) -> np.ndarray:
    """The part of an overlay without sound that shows the image."""
    return overlay[-200:]


def test_an_accepted_mask_is_tinted_and_a_rejected_one_is_framed(result) -> None:
    image = np.full((200, 300, 3), 100, np.uint8)
    drawn = image_of(draw_overlay(image, result))
    np.testing.assert_allclose(drawn[100, 100], 0.5 * 100 + 0.5 * ORANGE, atol=1)
    assert (drawn[100, 250] == 100).all() and (drawn[100, 20] == 100).all()
    np.testing.assert_allclose(drawn[100, 200], GREY, atol=40)
    assert (image == 100).all()


def test_the_bar_grows_by_a_warning_where_weights_are_random(result) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    trained, random = (draw_overlay(image, result, trained=trained) for trained in (True, False))
    assert random.shape[0] > trained.shape[0]
    bar = random[: random.shape[0] - 200].astype(int)
    assert (bar[..., 0] - bar[..., 2] > 100).any(), "the warning is red"


def test_the_sound_is_below_with_its_onset_marked(result) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    window = AudioWindow(samples=np.zeros(32_000, np.float32), start_ns=10**9)
    plain = draw_overlay(image, result)
    heard = draw_overlay(image, result, window=window, onset_ns=15 * 10**8)
    strip = heard[plain.shape[0] :].astype(int)
    red = np.flatnonzero((strip[..., 0] - strip[..., 2] > 100).all(axis=0))
    assert red.size and abs(red.mean() - 75) <= 1  # a quarter of 300 pixels


def test_the_moment_of_the_image_is_marked_in_the_sound(result) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    window = AudioWindow(samples=np.zeros(32_000, np.float32), start_ns=10**9)
    strip = draw_overlay(image, result, window=window, onset_ns=15 * 10**8, frame_ns=20 * 10**8)[-50:]
    white = np.flatnonzero((strip.min(axis=2) > 200).all(axis=0))
    assert white.size and abs(white.mean() - 150) <= 1  # one second after the start: half of 300 pixels


def test_an_empty_result_leaves_the_image_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    overlay = draw_overlay(image, no_collision(Reason.NO_FRAME, "no image"))
    np.testing.assert_array_equal(image_of(overlay), image)


def test_merged_roles_are_all_named() -> None:
    assert role_name(Role.RIGHT_HAND | Role.AUDIO_VISUAL) == "right hand + heard"
