"""Where an image lies in the tower's square: worked examples."""

from __future__ import annotations

import numpy as np
import torch

from cs3_model.networks.micro.letterbox import Letterbox


def test_a_wide_image_keeps_its_shape_between_two_grey_stripes() -> None:
    place = Letterbox.around((720, 1280), 224)
    assert (place.top, place.left, place.rows, place.columns) == (48, 0, 126, 224)
    white = place.pixels(torch.full((720, 1280, 3), 255, dtype=torch.uint8))
    assert white.shape == (1, 3, 224, 224)
    torch.testing.assert_close(white[:, :, 48:174], torch.ones(1, 3, 126, 224))
    assert (white[:, :, :48] == 0.5).all() and (white[:, :, 174:] == 0.5).all()


def test_a_tall_image_lies_between_two_columns_and_a_square_one_fills_the_square() -> None:
    tall = Letterbox.around((640, 480), 224)
    assert (tall.top, tall.left, tall.rows, tall.columns) == (0, 28, 224, 168)
    square = Letterbox.around((352, 352), 224)
    assert (square.top, square.left, square.rows, square.columns) == (0, 0, 224, 224)


def test_an_image_of_one_row_keeps_a_stripe() -> None:
    place = Letterbox.around((1, 1000), 224)
    assert (place.rows, place.columns) == (2, 224)
    assert place.cut(torch.zeros(28, 28)).shape == (1, 28)


def test_points_and_boxes_go_there_and_back() -> None:
    """640 x 480 at 168 x 224: each pixel of the square stands for 480 / 168 columns and 640 / 224 rows."""
    place = Letterbox.around((640, 480), 224)
    np.testing.assert_allclose(place.to_square(np.array([[0, 0], [480, 640]], np.float32)), [[28, 0], [196, 224]])
    boxes = np.array([[10, 20, 200, 400]], np.float32)
    np.testing.assert_allclose(place.to_image(place.to_square(boxes)), boxes, rtol=1e-5)


def test_a_map_is_cut_to_the_image() -> None:
    """Rows 48 to 174 are 24 to 87 of a map of half the resolution, and 6 to 21.75 of one of an eighth."""
    place = Letterbox.around((720, 1280), 224)
    half = torch.zeros(1, 112, 112)
    half[:, 24:87] = 1
    assert place.cut(half).shape == (1, 63, 112) and (place.cut(half) == 1).all()
    assert place.cut(torch.arange(28)[:, None].expand(28, 28))[:, 0].tolist() == list(range(6, 22))
