"""What other cameras do to pictures of the world, and that the truth goes along."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.networks.micro.letterbox import Letterbox
from tests.training.micro.conftest import COLOURS, SIDE, drawn_ids
from training.data.other_cameras import FilmedView, draw_view, h264, jpeg
from training.micro.vision.filming import filmed, painted
from training.micro.vision.scenes import list_scenes, read_objects
from training.simulation.rendering.id_map import LEFT_HAND_ID, RIGHT_HAND_ID


def drawn_picture() -> np.ndarray:
    """Each id in its grey."""
    return np.vectorize(COLOURS.get)(drawn_ids()).astype(np.uint8)[..., None].repeat(3, 2)


def view(**changed) -> FilmedView:
    """All of the drawn picture, as it is."""
    whole = {
        "centre_xy": (SIDE / 2, SIDE / 2), "width_px": float(SIDE), "angle_rad": 0.0, "bend": 0.0,
        "is_mirrored": False, "letterbox": Letterbox.around((SIDE, SIDE), SIDE),
    }  # fmt: skip
    return FilmedView(**(whole | changed))


def test_a_view_of_all_is_the_picture() -> None:
    image, ids = view().of(drawn_picture(), drawn_ids())
    np.testing.assert_array_equal(image, drawn_picture())
    np.testing.assert_array_equal(ids, drawn_ids())


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"is_mirrored": True}, lambda x: x[:, ::-1]),
        ({"angle_rad": np.pi / 2}, lambda x: np.rot90(x)),
        ({"angle_rad": np.pi}, lambda x: x[::-1, ::-1]),
    ],
)
def test_a_turned_view_turns_picture_and_ids_alike(changed, expected) -> None:
    image, ids = view(**changed).of(drawn_picture(), drawn_ids())
    np.testing.assert_array_equal(ids, expected(drawn_ids()))
    np.testing.assert_array_equal(image, expected(drawn_picture()))


def test_a_close_up_in_another_aspect_lies_in_the_middle_of_grey() -> None:
    """Of 32 x 16 pixels around (32, 24), twice as large."""
    wide = view(centre_xy=(32.0, 24.0), width_px=32.0, letterbox=Letterbox.around((32, 64), SIDE))
    image, ids = wide.in_square(*wide.of(drawn_picture(), drawn_ids()))
    assert image.shape == (SIDE, SIDE, 3) and ids.shape == (SIDE, SIDE)
    np.testing.assert_array_equal(ids[16:48], drawn_ids()[16:32, 16:48].repeat(2, 0).repeat(2, 1))
    assert not ids[:16].any() and not ids[48:].any()
    assert (image[:16] == 127).all() and (image[48:] == 127).all()


def test_a_bent_view_keeps_its_middle_and_shows_more_at_its_corners() -> None:
    ids = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) // 64 + 1
    _, bent = view(bend=0.3, width_px=SIDE / 2).of(drawn_picture(), ids.astype(np.uint8))
    _, plain = view(width_px=SIDE / 2).of(drawn_picture(), ids.astype(np.uint8))
    assert bent[32, 32] == plain[32, 32]
    assert bent[0, 0] == pytest.approx(32.5 - 16 * 1.3, abs=1)  # rows above the middle, 16 without the bend


def test_views_stay_in_the_picture_but_for_their_turn_and_bend() -> None:
    for seed in range(200):
        drawn = draw_view(np.random.default_rng(seed), (SIDE, SIDE), SIDE)
        box = drawn.letterbox
        half = np.array([drawn.width_px, drawn.width_px * box.rows / box.columns]) / 2
        is_across = abs(np.sin(drawn.angle_rad)) > 0.7
        half = half[::-1] if is_across else half
        assert (np.array(drawn.centre_xy) - half >= -1e-6).all() and (
            np.array(drawn.centre_xy) + half <= SIDE + 1e-6
        ).all()
        assert 0.15 * SIDE < drawn.width_px <= SIDE


def test_paint_changes_the_colour_of_its_region_and_keeps_light_and_shadow() -> None:
    image = np.full((2, 4, 3), 100, np.uint8)
    image[0, 0] = 50
    region = np.zeros((2, 4), bool)
    region[:, :3] = True
    red = painted(image, region, np.array([200.0, 20.0, 20.0]), 1.0)
    assert red[1, 1].tolist() == [200, 20, 20] and red[0, 0].tolist() == [100, 10, 10]
    assert red[0, 3].tolist() == [100, 100, 100] and image[1, 1].tolist() == [100, 100, 100]
    assert painted(image, region, np.array([200.0, 20.0, 20.0]), 0.5)[1, 1].tolist() == [150, 60, 60]


def test_only_a_hand_in_view_holds_something_and_a_mirror_swaps_hands(make_scenes) -> None:
    """Of the two hands that hold something the picture shows the left one alone."""
    objects = read_objects(list_scenes(make_scenes(), "train")[0])
    num_seen = num_mirrored = 0
    for seed in range(60):
        _, ids, changed = filmed(np.random.default_rng(seed), drawn_picture(), drawn_ids(), objects, SIDE)
        hands = (ids == LEFT_HAND_ID).any(), (ids == RIGHT_HAND_ID).any()
        assert not (hands[0] and hands[1])
        if not any(hands):
            assert not changed.held.any()
        elif changed.held.any():
            num_seen += 1
            num_mirrored += hands[1]
            assert changed.held.tolist() == [[False, False], list(map(bool, hands)), *[[False, False]] * 29]
    assert 0 < num_mirrored < num_seen


def test_some_objects_are_painted(make_scenes) -> None:
    """The drawn picture is grey, and casts alone make no strong colour."""
    objects = read_objects(list_scenes(make_scenes(), "train")[0])
    coloured = []
    for seed in range(60):
        image, ids, _ = filmed(np.random.default_rng(seed), drawn_picture(), drawn_ids(), objects, SIDE)
        seen = image[ids == 3].astype(int)
        if len(seen):
            coloured.append(float(np.median(seen.max(1) - seen.min(1))) > 60)
    assert 0 < sum(coloured) < len(coloured) / 2


@pytest.mark.parametrize("coded", [lambda image: jpeg(image, quality=30), lambda image: h264(image, crf=30)])
def test_codecs_lose_detail_and_keep_colours(coded) -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :48], image[:, 48:] = (200, 60, 20), (20, 60, 200)
    noisy = np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype(np.uint8)
    left = coded(noisy)
    assert left.shape == image.shape
    assert left[:, :40].std((0, 1)).max() < 15
    np.testing.assert_allclose(left[:, :40].mean((0, 1)), (200, 60, 20), atol=8)
    np.testing.assert_allclose(left[:, 56:].mean((0, 1)), (20, 60, 200), atol=8)
