"""Peak, crop, box and mask of an audio-visual map, with answers worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs3_model.localisation import (
    Binarisation,
    LocalisationConfig,
    Masker,
    at_masker,
    box_around_peak,
    crop_around,
    peak_mask,
    peak_xy,
    peaks_xy,
    place_crop,
    score_map,
    share_of_map,
)

SHARP = LocalisationConfig(smoothing=0, box_padding=0, min_box_side_px=1)
"""No smoothing, padding or least size, so that boxes are those of the drawn rectangles."""


def drawn(shape_hw: tuple[int, int], *rectangles: tuple[int, int, int, int, float]) -> np.ndarray:
    """A map of zeros with filled rectangles (x_min, y_min, x_max, y_max, value)."""
    logits = np.zeros(shape_hw, np.float32)
    for x_min, y_min, x_max, y_max, value in rectangles:
        logits[y_min:y_max, x_min:x_max] = value
    return logits


def test_scores_stretch_from_zero_to_one():
    logits = np.array([[-3.0, 1.0], [3.0, 9.0]], np.float32)
    np.testing.assert_allclose(score_map(logits, SHARP), [[0, 1 / 3], [0.5, 1]], rtol=1e-6)


def test_smoothing_prefers_a_region_to_a_single_hotter_pixel():
    logits = drawn((100, 100), (10, 10, 11, 11, 5.0), (60, 60, 70, 70, 3.0))
    assert peak_xy(score_map(logits, SHARP), (100, 100)) == (10.5, 10.5)
    x, y = peak_xy(score_map(logits, LocalisationConfig()), (100, 100))
    assert 63 <= x <= 67
    assert 63 <= y <= 67


def test_smoothing_grows_with_the_width_of_the_map():
    """A step's edge is spread by 2 % of the width: the score at one sigma beyond the edge is 1 - Phi(1) = 0.159."""
    for width in (100, 400):
        logits = drawn((50, width), (0, 0, width // 2, 50, 1.0))
        beyond = score_map(logits, LocalisationConfig())[25, width // 2 + round(0.02 * width) - 1 :][:2].mean()
        assert beyond == pytest.approx(0.159, abs=0.01)


def test_the_peak_is_the_centre_of_its_map_pixel_in_frame_coordinates():
    """A 4 x 8 map over 720 x 1280: a map pixel is 160 x 180."""
    scores = drawn((4, 8), (3, 2, 4, 3, 1.0))
    assert peak_xy(scores, (720, 1280)) == (560.0, 450.0)


def test_the_highest_peaks_come_first_and_a_neighbour_of_one_is_none():
    """On a map of 50 columns, 2 columns away is near; a map pixel is 4 x 2 pixels of the frame."""
    scores = drawn((40, 50), (10, 5, 11, 6, 0.8), (30, 20, 31, 21, 1.0), (32, 20, 33, 21, 0.9), (40, 35, 41, 36, 0.3))
    peaks = peaks_xy(scores, (80, 200), 3)
    assert peaks.dtype == np.float32
    np.testing.assert_array_equal(peaks, [[122, 41], [42, 11], [162, 71]])
    np.testing.assert_array_equal(peaks_xy(scores, (80, 200), 1), [peak_xy(scores, (80, 200))])


def test_a_map_with_one_peak_gives_no_more():
    cone = 1 - np.hypot(*np.meshgrid(np.arange(20) - 7, np.arange(20) - 12)).astype(np.float32) / 20
    np.testing.assert_array_equal(peaks_xy(cone, (20, 20), 4), [[7.5, 12.5]])


def test_the_share_of_a_map_is_that_of_its_softmax():
    """The map has 4 x 4 equal pixels but one, which is e^2 times as high; the frame has 2 x 2 pixels for each."""
    logits = drawn((4, 4), (1, 1, 2, 2, 2.0))
    mask = np.zeros((8, 8), bool)
    assert share_of_map(logits, mask) == 0
    mask[2:4, 2:4] = True
    assert share_of_map(logits, mask) == pytest.approx(np.exp(2) / (15 + np.exp(2)), rel=1e-5)
    mask[2:4, 4] = True  # half of the pixel beside it
    assert share_of_map(logits, mask) == pytest.approx((0.5 + np.exp(2)) / (15 + np.exp(2)), rel=1e-5)
    assert share_of_map(1000 * logits, ~mask) == 0 and share_of_map(logits, mask | ~mask) == pytest.approx(1)


@pytest.mark.parametrize(
    "point_xy, crop_xyxy",
    [
        ((640.0, 360.0), (460, 180, 820, 540)),
        ((5.0, 360.0), (0, 180, 360, 540)),
        ((1279.0, 719.0), (920, 360, 1280, 720)),
    ],
    ids=["inside", "shifted from the left edge", "shifted from the corner"],
)
def test_the_crop_is_half_the_shorter_side_and_lies_inside(point_xy, crop_xyxy):
    assert crop_around(point_xy, (720, 1280), LocalisationConfig()) == crop_xyxy


def test_a_crop_of_the_whole_square_frame_is_the_frame():
    assert crop_around((7.0, 1.0), (40, 40), LocalisationConfig(crop_side=1.0)) == (0, 0, 40, 40)


def test_a_crop_lies_exactly_in_its_place_and_its_lowest_value_around_it():
    """A crop from (20, 40) to (60, 80) in a 100 x 200 frame covers columns 1-2 and rows 4-7 of a 10 x 10 map."""
    crop = np.full((4, 2), 7.0, np.float32)
    crop[0, 0] = 5.0
    placed = place_crop(crop, (20, 40, 60, 80), (100, 200), (10, 10))
    expected = np.full((10, 10), 5.0, np.float32)
    expected[4:8, 1:3] = crop
    np.testing.assert_array_equal(placed, expected)


def test_a_crop_that_is_finer_than_the_map_is_averaged():
    crop = np.array([[0, 2, 4, 6]] * 2, np.float32)
    placed = place_crop(crop, (20, 20, 40, 30), (40, 40), (4, 4))
    expected = np.ones((4, 4), np.float32)
    expected[2, 3] = 5.0
    np.testing.assert_array_equal(placed, expected)


@pytest.mark.parametrize("crop_xyxy", [(0, 0, 50, 50), (75, 25, 125, 75), (150, 50, 200, 100)])
def test_the_refined_peak_lies_in_the_crop_though_it_scores_lower_than_the_place_outside(crop_xyxy):
    """The crop's logits rise towards its edges, where smoothing with what is outside could move the peak."""
    x_min, y_min, x_max, y_max = crop_xyxy
    config = LocalisationConfig(smoothing=0.1)
    rows, columns = np.mgrid[-1:1:8j, -1:1:8j]
    for crop in (np.hypot(rows, columns), columns, -rows, np.zeros((8, 8))):
        placed = place_crop((crop - 50).astype(np.float32), crop_xyxy, (100, 200), (40, 80))
        x, y = peak_xy(score_map(placed, config), (100, 200))
        assert x_min <= x <= x_max and y_min <= y <= y_max


def test_the_box_is_that_of_the_region_with_the_peak_and_of_no_other():
    scores = score_map(drawn((40, 80), (10, 5, 20, 15, 1.0), (40, 20, 60, 30, 0.9)), SHARP)
    assert box_around_peak(scores, (400, 800), SHARP) == (100, 50, 200, 150)


def test_regions_that_touch_at_a_corner_are_one():
    scores = score_map(drawn((40, 80), (10, 5, 20, 15, 1.0), (20, 15, 30, 20, 0.6)), SHARP)
    assert box_around_peak(scores, (40, 80), SHARP) == (10, 5, 30, 20)


def test_the_trained_masker_cuts_where_training_did():
    """Logits -3, 0 and 1; w x + b = 10 x + 14 is zero at -1.4, which is 0.4 of the way from -3 to 1."""
    config = dataclasses.replace(SHARP, binarisation=Binarisation.MASKER)
    logits = drawn((10, 10), (2, 2, 4, 4, 4.0), (4, 2, 6, 4, 3.0)) - 3
    cut = at_masker(logits, config, Masker(scale=10.0, bias=14.0))
    assert cut.threshold == pytest.approx(0.4)
    assert box_around_peak(score_map(logits, cut), (10, 10), cut) == (2, 2, 6, 4)
    assert int(peak_mask(score_map(logits, cut), (10, 10), cut).sum()) == 8


@pytest.mark.parametrize(("bias", "threshold"), [(-50.0, 1.0), (50.0, 1e-6)], ids=["nothing", "everything"])
def test_where_the_masker_takes_nothing_the_peak_is_left_and_where_all_the_frame(bias, threshold):
    config = dataclasses.replace(SHARP, binarisation=Binarisation.MASKER)
    logits = drawn((10, 10), (2, 2, 4, 4, 4.0)) - 3
    cut = at_masker(logits, config, Masker(scale=10.0, bias=bias))
    assert cut.threshold == threshold and box_around_peak(score_map(logits, cut), (10, 10), cut) == (2, 2, 4, 4)


def test_a_masker_that_is_wanted_must_be_there():
    with pytest.raises(ValueError, match="binarisation masker needs trained audio weights"):
        at_masker(drawn((4, 4)), LocalisationConfig(binarisation=Binarisation.MASKER), None)
    with pytest.raises(ValueError, match=r"scale of a masker must be positive, got -1"):
        Masker(scale=-1.0, bias=0.0)
    config = LocalisationConfig()
    assert at_masker(drawn((4, 4)), config, None) is config


def test_the_threshold_is_inclusive():
    scores = score_map(drawn((10, 10), (2, 2, 4, 4, 1.0), (4, 2, 6, 4, 0.5)), SHARP)
    assert box_around_peak(scores, (10, 10), SHARP) == (2, 2, 6, 4)
    stricter = dataclasses.replace(SHARP, threshold=0.51)
    assert box_around_peak(scores, (10, 10), stricter) == (2, 2, 4, 4)


def test_the_box_is_padded_by_a_twentieth_of_its_sides_and_cut_at_the_frame():
    config = LocalisationConfig(smoothing=0)
    scores = score_map(drawn((100, 100), (0, 40, 40, 60, 1.0)), config)
    assert box_around_peak(scores, (100, 100), config) == pytest.approx((0, 39, 42, 61))


@pytest.mark.parametrize(
    "pixel_xy, box",
    [((50, 50), (42.5, 42.5, 58.5, 58.5)), ((0, 99), (0, 84, 16, 100))],
    ids=["around its centre", "shifted inside"],
)
def test_a_small_box_is_widened_to_the_least_side(pixel_xy, box):
    config = LocalisationConfig(smoothing=0, box_padding=0)
    x, y = pixel_xy
    scores = score_map(drawn((100, 100), (x, y, x + 1, y + 1, 1.0)), config)
    assert box_around_peak(scores, (100, 100), config) == box


def test_a_frame_smaller_than_the_least_box_is_boxed_whole():
    config = LocalisationConfig()
    assert box_around_peak(score_map(drawn((8, 8), (1, 1, 2, 2, 1.0)), config), (9, 5), config) == (0, 0, 5, 9)


def test_the_mask_holds_every_region_above_the_threshold_at_the_frames_size():
    scores = score_map(drawn((4, 4), (0, 0, 1, 1, 1.0), (3, 3, 4, 4, 0.9), (0, 3, 1, 4, 0.3)), SHARP)
    mask = peak_mask(scores, (40, 40), SHARP)
    assert mask.dtype == np.bool_
    assert mask.shape == (40, 40)
    assert mask[2, 2]
    assert mask[37, 37]
    assert not mask[37, 2]
    assert not mask[20, 20]


def test_a_map_of_equal_values_is_nowhere_better_than_anywhere():
    config = LocalisationConfig()
    scores = score_map(np.full((30, 30), 3.7, np.float32), config)
    assert (scores == 1).all()
    assert box_around_peak(scores, (60, 90), config) == (0, 0, 90, 60)
    assert peak_mask(scores, (60, 90), config).all()


@settings(deadline=None)
@given(
    map_hw=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    frame_hw=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    crop_side=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_map_and_frame_gives_a_peak_crop_and_box_inside_the_frame(map_hw, frame_hw, crop_side, seed):
    height, width = frame_hw
    config = LocalisationConfig(crop_side=crop_side)
    logits = np.random.default_rng(seed).standard_normal(map_hw).astype(np.float32)
    scores = score_map(logits, config)
    x, y = peak_xy(scores, frame_hw)
    assert 0 < x < width
    assert 0 < y < height
    peaks = peaks_xy(scores, frame_hw, 3)
    np.testing.assert_allclose(peaks[0], (x, y), rtol=1e-5)
    assert 1 <= len(peaks) <= 3 and (peaks > 0).all() and (peaks < (width, height)).all()

    x_min, y_min, x_max, y_max = crop_around((x, y), frame_hw, config)
    assert 0 <= x_min < x_max <= width
    assert 0 <= y_min < y_max <= height
    assert x_max - x_min == y_max - y_min
    assert x_min <= x <= x_max
    assert y_min <= y <= y_max

    refined = place_crop(logits, (x_min, y_min, x_max, y_max), frame_hw, map_hw)
    assert refined.shape == logits.shape
    refined_x, refined_y = peak_xy(refined, frame_hw)
    pixel_x, pixel_y = width / map_hw[1], height / map_hw[0]
    assert x_min - pixel_x / 2 <= refined_x <= x_max + pixel_x / 2
    assert y_min - pixel_y / 2 <= refined_y <= y_max + pixel_y / 2

    x_min, y_min, x_max, y_max = box_around_peak(scores, frame_hw, config)
    assert 0 <= x_min < x_max <= width
    assert 0 <= y_min < y_max <= height
    assert x_min <= x <= x_max
    assert y_min <= y <= y_max
    assert x_max - x_min >= min(16, width) - 1e-6
    assert y_max - y_min >= min(16, height) - 1e-6


@pytest.mark.parametrize(
    "field, value",
    [("smoothing", -0.1), ("crop_side", 0), ("crop_side", 1.1), ("threshold", 0), ("min_box_side_px", 0)],
)
def test_a_setting_out_of_range_is_refused_by_name_and_value(field, value):
    with pytest.raises(ValueError, match=f"LocalisationConfig.{field} must be .* got {value}"):
        LocalisationConfig(**{field: value})
