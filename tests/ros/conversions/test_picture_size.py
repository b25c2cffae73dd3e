"""What a picture would become is known before it is decoded."""

from __future__ import annotations

import struct
import zlib
from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from cs3_ros.conversions.images import image_decoder
from cs3_ros.conversions.picture_size import MAX_PIXELS, check_coded_size

pytestmark = pytest.mark.ros

PICTURE = np.zeros((16, 24, 3), np.uint8)
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", PICTURE, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1].tobytes()
PNG = cv2.imencode(".png", PICTURE)[1].tobytes()


def jpeg_that_claims(height: int, width: int, jpeg: bytes = JPEG) -> bytes:
    header = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    return jpeg[: header + 5] + struct.pack(">HH", height, width) + jpeg[header + 9 :]


def png_that_claims(height: int, width: int) -> bytes:
    body = b"IHDR" + struct.pack(">II", width, height) + PNG[24:29]
    return PNG[:12] + body + struct.pack(">I", zlib.crc32(body)) + PNG[33:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def decoder(data: bytes):
    return image_decoder(CompressedImage(format="jpeg", data=array("B", data)))


@pytest.mark.parametrize(
    "data",
    [
        jpeg_that_claims(30_000, 30_000),
        jpeg_that_claims(65_535, 65_535),
        jpeg_that_claims(7_000, 7_000, PROGRESSIVE),
        png_that_claims(32_000, 32_000),
        png_that_claims(2**31 - 1, 2**31 - 1),
        # The true size stands after metadata in which a thumbnail claims a small one.
        JPEG[:2] + segment(0xE1, b"Exif\0\0" + JPEG) + jpeg_that_claims(30_000, 30_000)[2:],
        # Filling bytes and noise between segments, which decoders skip.
        JPEG[:2] + b"\xff\xff\xff\xfe\0\2noise" + jpeg_that_claims(30_000, 30_000)[2:],
    ],
)
def test_a_small_file_that_claims_many_pixels_is_refused_before_it_is_decoded(data):
    with pytest.raises(ValueError, match=r"a picture of \d+ x \d+ is refused: it has more than 40 million pixels"):
        decoder(data)


def test_a_raw_picture_of_many_pixels_is_refused():
    with pytest.raises(ValueError, match="a picture of 6400 x 6400 is refused"):
        image_decoder(Image(encoding="mono8", width=6_400, height=6_400, step=6_400, data=array("B", bytes(6_400**2))))


def test_a_jpeg_in_thousands_of_scans_is_refused():
    scans = JPEG.find(b"\xff\xda")
    many = jpeg_that_claims(4_000, 4_000)[:scans] + 50 * JPEG[scans:-2]

    with pytest.raises(ValueError, match="a JPEG of 4000 x 4000 in 50 scans is refused"):
        decoder(many)


@pytest.mark.parametrize(
    "data",
    [
        JPEG[: JPEG.find(b"\xff\xc0") + 3],
        jpeg_that_claims(0, 24),
        JPEG[:2] + JPEG[JPEG.find(b"\xff\xda") :],
        JPEG[:2] + 3_000 * segment(0xFE, b"") + JPEG[2:],
        JPEG[:3],
        PNG[:20],
        PNG[:12] + b"IDAT" + PNG[16:],
    ],
)
def test_pictures_without_a_readable_size_are_refused(data):
    with pytest.raises(ValueError, match=r"truncated or damaged"):
        decoder(data)


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, PNG, JPEG[:2] + segment(0xE1, b"Exif\0\0" + JPEG) + JPEG[2:]])
def test_ordinary_pictures_pass(data):
    assert decoder(data)().shape == PICTURE.shape


def test_8k_passes():
    assert MAX_PIXELS >= 7_680 * 4_320
    check_coded_size(jpeg_that_claims(4_320, 7_680))
