from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cs3_ros.conversions import images
from cs3_ros.conversions.images import (
    RAW_ENCODINGS,
    image_decoder,
    image_to_jpeg,
    image_to_msg,
    mask_from_msg,
    mask_to_image,
    mask_to_png,
)
from cs3_ros.message_types import typestore_with_cs3_msgs

pytestmark = pytest.mark.ros

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def raw(encoding: str, height: int, width: int, data: bytes | list[int], step: int | None = None) -> Image:
    data = array("B", data)
    return Image(encoding=encoding, height=height, width=width, step=step or len(data) // height, data=data)


def smooth_picture(height: int = 48, width: int = 64) -> np.ndarray:
    """A picture that JPEG keeps nearly as it is: red grows to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack((columns * 4, rows * 5, np.full_like(rows, 30)), axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", [*RED, *GREEN]),
        ("bgr8", [0, 0, 255, 0, 255, 0]),
        ("rgba8", [*RED, 7, *GREEN, 9]),
        ("bgra8", [0, 0, 255, 7, 0, 255, 0, 9]),
    ],
)
def test_colour_images_are_decoded_to_rgb(encoding, pixels):
    decoded = image_decoder(raw(encoding, 1, 2, pixels))()

    assert decoded.dtype == np.uint8
    assert decoded.tolist() == [[list(RED), list(GREEN)]]


def test_grey_images_get_three_equal_channels():
    assert image_decoder(raw("mono8", 2, 1, [10, 200]))().tolist() == [[[10, 10, 10]], [[200, 200, 200]]]


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422", "UYVY"), ("uyvy", "UYVY"), ("yuv422_yuy2", "YUYV"), ("yuyv", "YUYV")],
)
def test_yuv_images_follow_bt601(encoding, order):
    """BT.601 limited range: (16, 128, 128) is black, (235, 128, 128) white, (81, 90, 240) red."""

    def pair(y0: int, y1: int, u: int, v: int) -> list[int]:
        return [u, y0, v, y1] if order == "UYVY" else [y0, u, y1, v]

    decoded = image_decoder(raw(encoding, 2, 2, pair(16, 235, 128, 128) + pair(81, 81, 90, 240)))()

    assert decoded[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    assert np.abs(decoded[1].astype(int) - RED).max() <= 2


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "yuv420", "i420"])
def test_planar_yuv_images_follow_bt601(encoding, padding):
    """Left half (81, 90, 240), red; right half (235, 128, 128), white."""
    width, height = 8, 4
    y = np.tile(np.repeat([81, 235], 4), (height, 1))
    u, v = (np.tile(np.repeat(values, 2), (height // 2, 1)) for values in ([90, 128], [240, 128]))
    if encoding in ("nv12", "nv21"):
        chroma = np.stack((u, v) if encoding == "nv12" else (v, u), axis=-1).reshape(height // 2, width)
        rows, chroma_padding = (y, chroma), padding
    else:
        rows, chroma_padding = (y, np.concatenate((u, v))), padding // 2
    data = np.pad(rows[0], ((0, 0), (0, padding))).astype(np.uint8).tobytes()
    data += np.pad(rows[1], ((0, 0), (0, chroma_padding))).astype(np.uint8).tobytes()

    decoded = image_decoder(raw(encoding, height, width, data, step=width + padding))()

    assert decoded.shape == (height, width, 3)
    assert np.abs(decoded[:, :3].astype(int) - RED).max() <= 2 and (decoded[:, 5:] == 255).all()


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_images_of_one_colour_come_out_in_that_colour(pattern):
    value = {"r": 200, "g": 100, "b": 50}
    tile = np.array([value[site] for site in pattern], np.uint8).reshape(2, 2)

    decoded = image_decoder(raw(f"bayer_{pattern}8", 6, 8, np.tile(tile, (3, 4)).tobytes()))()

    assert decoded.shape == (6, 8, 3)
    assert (decoded == (200, 100, 50)).all()


def test_padding_at_the_end_of_rows_is_left_out():
    row = [*RED, *GREEN, 99, 99]

    assert image_decoder(raw("rgb8", 2, 2, row + row, step=8))().tolist() == [[list(RED), list(GREEN)]] * 2


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "bgra8", "yuv422", "bayer_rggb8"])
def test_padding_does_not_change_the_pixels_of_any_layout(encoding):
    bytes_per_pixel = {"rgb8": 3, "bgr8": 3, "bgra8": 4, "yuv422": 2}.get(encoding, 1)
    pixels = np.random.default_rng(1).integers(0, 256, (6, 8 * bytes_per_pixel), np.uint8)
    padded = np.pad(pixels, ((0, 0), (0, 5)), constant_values=77)

    tight = image_decoder(raw(encoding, 6, 8, pixels.tobytes()))()
    loose = image_decoder(raw(encoding, 6, 8, padded.tobytes(), step=padded.shape[1]))()

    assert (tight == loose).all()


def test_the_big_endian_flag_does_not_matter_for_8_bits():
    msg = raw("rgb8", 1, 1, RED)
    msg.is_bigendian = 1

    assert image_decoder(msg)().tolist() == [[list(RED)]]


def test_decoded_pixels_outlive_changes_of_the_message():
    msg = raw("rgb8", 1, 1, RED)
    decoded = image_decoder(msg)()

    msg.data[0] = 1

    assert decoded.tolist() == [[list(RED)]]
    assert decoded.flags.owndata


@pytest.mark.parametrize(
    ("msg", "complaint"),
    [
        (raw("16UC1", 1, 1, [0, 0]), "16UC1.*depth.*accepted: rgb8"),
        (raw("32FC1", 1, 1, [0] * 4), "32FC1.*depth"),
        (raw("8UC3", 1, 1, RED), "8UC3.*order of its colours: let the driver send bgr8 or rgb8.*accepted: rgb8"),
        (raw("mono16", 1, 1, [0, 0]), "mono16.*let the driver send mono8"),
        (raw("bayer_rggb16", 1, 1, [0, 0]), "16 bits"),
        (raw("BGR8", 1, 1, RED), "write it 'bgr8'"),
        (raw("jpeg", 1, 1, RED), "publish it as sensor_msgs/CompressedImage"),
        (raw("nv12", 2, 2, bytes(5), step=2), "3/2 . height 2 . step 2 = 6 bytes for encoding nv12, got 5"),
        (raw("nv21", 3, 2, bytes(9), step=2), "Image.height must be even for encoding nv21, got 3"),
        (raw("", 1, 1, RED), "''.*accepted: rgb8"),
        (Image(encoding="rgb8"), "height 0, width 0"),
        (raw("rgb8", 2, 2, bytes(12), step=5), "Image.step must be at least 6.*rgb8, got 5"),
        (raw("rgb8", 2, 2, bytes(11), step=6), "Image.data must hold height 2 . step 6 = 12.*rgb8, got 11"),
        (raw("yuv422", 1, 3, bytes(6)), "Image.width must be even for encoding yuv422, got 3"),
    ],
)
def test_images_that_cannot_be_decoded_are_refused_before_decoding(msg, complaint):
    with pytest.raises(ValueError, match=complaint):
        image_decoder(msg)


@pytest.mark.parametrize(
    ("extension", "message_format"),
    [
        (".jpg", "jpeg"),
        (".jpg", "jpg"),
        (".jpg", "rgb8; jpeg compressed bgr8"),
        (".jpg", "png"),
        (".png", "png"),
        (".png", "bgr8; png compressed bgr8"),
        (".png", "jpeg"),
        (".png", ""),
    ],
)
def test_compressed_images_are_decoded_by_their_content(extension, message_format):
    picture = smooth_picture()
    encoded = cv2.imencode(extension, picture[..., ::-1])[1]

    decoded = image_decoder(CompressedImage(format=message_format, data=array("B", encoded.tobytes())))()

    assert np.abs(decoded.astype(int) - picture).max() <= (0 if extension == ".png" else 12)


def test_grey_compressed_images_get_three_channels():
    encoded = cv2.imencode(".png", np.array([[0, 255]], np.uint8))[1]

    decoded = image_decoder(CompressedImage(format="mono8; png compressed", data=array("B", encoded.tobytes())))()

    assert decoded.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_an_exif_rotation_does_not_turn_the_pixel_grid():
    jpeg = cv2.imencode(".jpg", smooth_picture(16, 48)[..., ::-1])[1].tobytes()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6: turn clockwise
    exif = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (48, 16, 3)

    assert image_decoder(CompressedImage(format="jpeg", data=array("B", turned)))().shape == (16, 48, 3)


@pytest.mark.parametrize(
    ("message_format", "data", "complaint"),
    [
        ("jpeg", b"", "has no data"),
        ("h264", b"\0\0\0\x01\x67\x42\0\x1f", "h264.*neither JPEG nor PNG.*00 00 00 01"),
        ("16UC1; compressedDepth png", b"\x89PNG\r\n\x1a\n", "depth"),
        ("32FC1; compressedDepth rvl", b"\0\0", "depth"),
        ("bayer_rggb8; jpeg compressed ", cv2.imencode(".jpg", smooth_picture())[1].tobytes(), "raw mosaic.*debayer"),
    ],
)
def test_compressed_images_that_are_no_pictures_are_refused_before_decoding(message_format, data, complaint):
    with pytest.raises(ValueError, match=complaint):
        image_decoder(CompressedImage(format=message_format, data=array("B", data)))


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated_pictures_are_refused(extension, kept):
    encoded = cv2.imencode(extension, smooth_picture())[1].tobytes()
    msg = CompressedImage(format="x", data=array("B", encoded[: int(kept * len(encoded))]))

    with pytest.raises(ValueError, match="truncated or damaged"):
        image_decoder(msg)()


def test_images_of_rosbags_are_decoded_too():
    types = typestore_with_cs3_msgs().types
    header = types["std_msgs/msg/Header"](stamp=types["builtin_interfaces/msg/Time"](sec=0, nanosec=0), frame_id="")
    msg = types["sensor_msgs/msg/Image"](
        header=header, height=1, width=1, encoding="bgr8", is_bigendian=0, step=3, data=np.array([255, 0, 0], np.uint8)
    )

    assert image_decoder(msg)().tolist() == [[list(BLUE)]]


def test_pictures_survive_the_way_into_a_message_and_back():
    picture = np.random.default_rng(2).integers(0, 256, (5, 7, 3), np.uint8)
    header = Header(frame_id="camera")

    msg = image_to_msg(picture[:, ::-1], header)

    assert (msg.encoding, msg.height, msg.width, msg.step, msg.header.frame_id) == ("rgb8", 5, 7, 21, "camera")
    assert (image_decoder(msg)() == picture[:, ::-1]).all()


def test_jpeg_messages_keep_colours_and_size():
    picture = smooth_picture()

    decoded = image_decoder(image_to_jpeg(picture, Header(), quality=95))()

    assert np.abs(decoded.astype(int) - picture).max() <= 8


def test_masks_are_255_inside_and_0_outside():
    mask = np.array([[True, False, True]])

    msg = mask_to_image(mask, Header(frame_id="camera"))

    assert (msg.encoding, msg.height, msg.width, msg.step) == ("mono8", 1, 3, 3)
    assert bytes(msg.data) == b"\xff\x00\xff"
    assert msg.header.frame_id == "camera"


@pytest.mark.parametrize("to_msg", [mask_to_image, mask_to_png])
def test_masks_survive_the_way_into_a_message_and_back(to_msg):
    mask = np.random.default_rng(3).random((33, 47)) > 0.5

    assert (mask_from_msg(to_msg(mask, Header())) == mask).all()


def test_png_masks_are_0_and_255_for_every_reader():
    mask = np.eye(20, 33, dtype=bool)
    png = np.frombuffer(mask_to_png(mask, Header()).data, np.uint8)

    assert (cv2.imdecode(png, cv2.IMREAD_UNCHANGED) == np.where(mask, 255, 0)).all()


@pytest.mark.skipif(images._CV_BRIDGE is None, reason="cv_bridge is not importable here")
@pytest.mark.parametrize("encoding", RAW_ENCODINGS)
def test_cv_bridge_and_the_numpy_view_give_the_same_pixels(encoding):
    layout = images._LAYOUTS[encoding]
    pixels = np.random.default_rng(4).integers(0, 256, (6, 8 * layout.bytes_per_pixel), np.uint8)
    msg = raw(encoding, 6, 8, pixels.tobytes())

    assert (image_decoder(msg)() == images._decode_view(msg, layout)).all()
