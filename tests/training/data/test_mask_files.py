"""Mask files as annotators leave them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.data.mask_files import read_label_map, read_object_masks
from training.data.samples import SampleError


def two_objects(first, second, background=0, dtype=np.uint8) -> np.ndarray:
    """A picture [6, 8]: the first object in two columns on the left, the second in the last row on the right."""
    image = np.full((6, 8, *np.shape(first)), background, dtype)
    image[:, :2], image[5, 4:] = first, second
    return image


@pytest.mark.parametrize(
    "image",
    [
        two_objects(1, 2),
        two_objects(128, 255),
        two_objects(300, 40_000, dtype=np.uint16),
        two_objects((0, 0, 128), (0, 128, 0)),
        two_objects((10, 0, 0, 255), (0, 10, 0, 255)),
    ],
    ids=["labels", "greys", "16 bits", "colours", "colours with transparency"],
)
def test_each_value_of_a_label_map_is_one_object(image, tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), image)
    masks = read_label_map(tmp_path / "m.png", (6, 8))
    areas = sorted(int(mask.sum()) for mask in masks)
    assert areas == [4, 12] and all(mask.dtype == bool for mask in masks)


def test_each_file_is_one_object_whatever_its_value(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), two_objects(255, 0))
    cv2.imwrite(str(tmp_path / "b.png"), two_objects(0, 1))
    first, second = read_object_masks([tmp_path / "a.png", tmp_path / "b.png"], (6, 8))
    assert first[:, :2].all() and first.sum() == 12 and second[5, 4:].all() and second.sum() == 4


def test_masks_of_another_resolution_are_scaled_to_the_picture(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), two_objects(1, 2))
    first, second = read_label_map(tmp_path / "m.png", (12, 16))
    assert first.shape == (12, 16) and first[:, :4].all() and first.sum() == 48 and second[10:, 8:].all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((6, 8), np.uint8), "expected one or two objects, .* got 0 values"),
        (
            np.arange(48, dtype=np.uint8).reshape(6, 8),
            "expected one or two .* got 47 values: is it smoothed, or JPEG-compressed",
        ),
        (np.eye(6, dtype=np.uint8), "expected a mask of the picture's shape, 8 x 6, got 6 x 6"),
    ],
)
def test_a_wrong_label_map_is_refused_by_name(image, message, tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), image)
    with pytest.raises(SampleError, match=f"m.png: {message}"):
        read_label_map(tmp_path / "m.png", (6, 8))


def test_a_broken_or_missing_file_is_refused_by_name(tmp_path) -> None:
    (tmp_path / "m.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(SampleError, match=r"m.png is not an image that OpenCV can read: expected a PNG mask"):
        read_label_map(tmp_path / "m.png", (6, 8))
    with pytest.raises(SampleError, match=r"gone.png does not exist"):
        read_object_masks([tmp_path / "gone.png"], (6, 8))


def test_object_files_must_show_one_object_each_and_be_two_at_most(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), two_objects(1, 2))
    with pytest.raises(SampleError, match=r"expected one object, .* got 2 values"):
        read_object_masks([tmp_path / "m.png"], (6, 8))
    with pytest.raises(SampleError, match="expected one or two mask files, got 3"):
        read_object_masks([tmp_path / "m.png"] * 3, (6, 8))
