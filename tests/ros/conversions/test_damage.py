"""A picture of which a part is wrong is no picture."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

from cs3_ros.conversions.damage import is_damaged_jpeg
from cs3_ros.conversions.images import image_decoder

pytestmark = pytest.mark.ros

FORMS = {
    "baseline": (),
    "progressive": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": (cv2.IMWRITE_JPEG_RST_INTERVAL, 8),
    "4:4:4": (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "own tables": (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
}
END = b"\xff\xd9"


def picture() -> np.ndarray:
    y, x = np.mgrid[:480, :640]
    noise = np.random.default_rng(0).normal(0, 8, (480, 640, 3))
    return (np.dstack((x / 3, y / 2, (x + y) / 5)) + noise).clip(0, 255).astype(np.uint8)


def encode(form: str, quality: int = 90, image: np.ndarray | None = None) -> bytes:
    options = (cv2.IMWRITE_JPEG_QUALITY, quality, *FORMS[form])
    return cv2.imencode(".jpg", picture() if image is None else image, options)[1].tobytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("quality", [50, 90])
def test_whole_pictures_pass_whatever_follows_them(form, quality):
    jpeg = encode(form, quality)

    for data in (jpeg, jpeg + bytes(65_536), jpeg + jpeg[:5_000]):
        assert not is_damaged_jpeg(data + (END if data[len(jpeg) :].strip(b"\0") else b""))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_pictures_pass(form, value):
    assert not is_damaged_jpeg(encode(form, image=np.full((480, 640, 3), value, np.uint8)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda jpeg: jpeg[: len(jpeg) // 2],
        lambda jpeg: jpeg[: len(jpeg) // 2] + END,
        lambda jpeg: jpeg[: len(jpeg) // 3] + jpeg[len(jpeg) // 3 + 10_000 :],
        lambda jpeg: jpeg[:2] + b"\xff\xe1\0\x06\xff\xd9\xff\xd9" + jpeg[2 : len(jpeg) // 2],
    ],
    ids=["cut", "cut, with an end", "a hole", "cut, an end in the metadata"],
)
def test_cut_pictures_and_holes_are_damage(form, damage):
    data = damage(encode(form))

    assert is_damaged_jpeg(data)
    with pytest.raises(ValueError, match="truncated or damaged"):
        image_decoder(CompressedImage(format="jpeg", data=array("B", data)))()


@pytest.mark.parametrize("form", ["baseline", "restarts", "4:4:4"])
@pytest.mark.parametrize("size", [64, 4096])
def test_zeroed_blocks_are_damage(form, size):
    jpeg = encode(form)

    assert is_damaged_jpeg(jpeg[: len(jpeg) // 2] + bytes(size) + jpeg[len(jpeg) // 2 + size :])


def test_motion_jpeg_without_its_tables_is_whole():
    """Many USB cameras leave out the usual tables."""
    jpeg = encode("baseline", image=np.full((48, 64, 3), 90, np.uint8))
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        kept += b"" if jpeg[at + 1] == 0xC4 else jpeg[at : at + 2 + length]
        at += 2 + length

    assert not is_damaged_jpeg(kept + jpeg[at:])
