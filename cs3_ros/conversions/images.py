"""Image messages to RGB arrays, and RGB arrays and masks to image messages.

Decoding is split in two: what a callback must know is checked at once, the pixels are converted when somebody asks
for them, because most camera images are never looked at.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cs3_model.frame_ring import StoredFrame
from cs3_model.types import BoolMask, UInt8Image
from cs3_ros.conversions.picture_size import JPEG_START, PNG_START, check_coded_size, check_size
from cs3_ros.conversions.times import check_stamp, stamp_to_ns

try:  # the compiled half is what fails beside a NumPy that cv_bridge was not built for
    from cv_bridge import CvBridge
    from cv_bridge.boost import cv_bridge_boost as _  # noqa: F401

    _CV_BRIDGE = CvBridge()
except (ImportError, AttributeError):
    _CV_BRIDGE = None

_Message = TypeVar("_Message", Image, CompressedImage)


@dataclass(frozen=True, slots=True)
class _PixelLayout:
    bytes_per_pixel: int
    to_rgb: int | None  # an OpenCV colour conversion; None where the bytes are RGB already


_LAYOUTS = {
    "rgb8": _PixelLayout(3, None),
    "bgr8": _PixelLayout(3, cv2.COLOR_BGR2RGB),
    "mono8": _PixelLayout(1, cv2.COLOR_GRAY2RGB),
    "rgba8": _PixelLayout(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _PixelLayout(4, cv2.COLOR_BGRA2RGB),
    "yuv422": _PixelLayout(2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _PixelLayout(2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _PixelLayout(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _PixelLayout(2, cv2.COLOR_YUV2RGB_YUY2),
    "bayer_rggb8": _PixelLayout(1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": _PixelLayout(1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": _PixelLayout(1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": _PixelLayout(1, cv2.COLOR_BayerGRBG2RGB),
}
RAW_ENCODINGS = tuple(_LAYOUTS)
"""Encodings of sensor_msgs/Image that can be decoded. All have 8 bits, so is_bigendian does not matter."""

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
"""Types of image topics that `image_decoder` and `frame_from_msg` take."""

_DEPTH_ENCODINGS = ("16uc1", "32fc1", "mono16")
_JPEG_END = b"\xff\xd9"


def image_decoder(msg: Any) -> Callable[[], UInt8Image]:
    """Checks an image message now and returns a function that decodes it later.

    Args:
        msg: A sensor_msgs/Image in one of `RAW_ENCODINGS`, or a sensor_msgs/CompressedImage that holds JPEG or PNG,
            whatever its format string says; of rclpy or of rosbags.

    Returns:
        A function without arguments that returns the RGB image, uint8 [H, W, 3], in memory of its own. It raises
        ValueError if the compressed data turn out to be broken.

    Raises:
        ValueError: if encoding, sizes or data cannot be an image, or it has more than `MAX_PIXELS` pixels.
    """
    return _compressed_decoder(msg) if hasattr(msg, "format") else _raw_decoder(msg)


def frame_from_msg(msg: Any) -> StoredFrame:
    """Returns the undecoded frame of an image message; argument as of `image_decoder`.

    Raises:
        ValueError: if the message cannot be an image, or is not stamped.
    """
    decode = image_decoder(msg)
    stamp_ns = stamp_to_ns(msg.header.stamp)
    check_stamp(stamp_ns)
    return StoredFrame(stamp_ns=stamp_ns, frame_id=msg.header.frame_id, num_bytes=len(msg.data), decode_image=decode)


def _raw_decoder(msg: Any) -> Callable[[], UInt8Image]:
    layout = _LAYOUTS.get(msg.encoding)
    if layout is None:
        hint = " (this is a depth image: connect the colour camera)" if _is_depth(msg.encoding) else ""
        raise ValueError(
            f"Image.encoding {msg.encoding!r} is not supported{hint}; accepted: {', '.join(RAW_ENCODINGS)}"
        )
    if msg.height == 0 or msg.width == 0:
        raise ValueError(f"Image of encoding {msg.encoding} is empty: height {msg.height}, width {msg.width}")
    check_size(msg.width, msg.height)
    if layout.bytes_per_pixel == 2 and msg.width % 2:
        raise ValueError(f"Image.width must be even for encoding {msg.encoding}, got {msg.width}")
    row_bytes = msg.width * layout.bytes_per_pixel
    if msg.step < row_bytes:
        raise ValueError(
            f"Image.step must be at least {row_bytes} for width {msg.width} and encoding {msg.encoding}, got {msg.step}"
        )
    if len(msg.data) < msg.height * msg.step:
        raise ValueError(
            f"Image.data must hold height {msg.height} * step {msg.step} = {msg.height * msg.step} bytes "
            f"for encoding {msg.encoding}, got {len(msg.data)}"
        )
    # cv_bridge reads rows of padded images differently from release to release
    if _CV_BRIDGE is not None and msg.step == row_bytes:
        return lambda: np.array(_CV_BRIDGE.imgmsg_to_cv2(msg, "rgb8"))
    return lambda: _decode_view(msg, layout)


def _decode_view(msg: Any, layout: _PixelLayout) -> UInt8Image:
    depth = layout.bytes_per_pixel
    pixels = np.ndarray((msg.height, msg.width, depth), np.uint8, memoryview(msg.data), strides=(msg.step, depth, 1))
    if layout.to_rgb is None:
        return pixels.copy()
    return cv2.cvtColor(pixels, layout.to_rgb)


def _compressed_decoder(msg: Any) -> Callable[[], UInt8Image]:
    if _is_depth(msg.format) or "compresseddepth" in msg.format.lower():
        raise ValueError(f"CompressedImage.format {msg.format!r} is a depth image: connect the colour camera")
    if len(msg.data) == 0:
        raise ValueError(f"CompressedImage of format {msg.format!r} has no data")
    start = bytes(msg.data[: len(PNG_START)])
    if not start.startswith((JPEG_START, PNG_START)):
        raise ValueError(
            f"CompressedImage of format {msg.format!r} holds neither JPEG nor PNG: its data begin with {start.hex(' ')}"
        )
    try:
        check_coded_size(bytes(msg.data))
    except ValueError as error:
        raise ValueError(f"CompressedImage of format {msg.format!r}: {error}") from None
    return lambda: _decode_compressed(msg)


def _decode_compressed(msg: Any) -> UInt8Image:
    data = np.frombuffer(msg.data, np.uint8)
    # OpenCV 4 fills the missing part of a truncated JPEG with grey and does not say so.
    truncated = data[0] == JPEG_START[0] and data.tobytes().rfind(_JPEG_END) < 0
    # An EXIF rotation would leave the pixel grid of the camera, in which masks and calibration are given.
    bgr = None if truncated else cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if bgr is None:
        raise ValueError(f"CompressedImage of format {msg.format!r}: its {data.size} bytes are truncated or damaged")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)


def _is_depth(encoding: str) -> bool:
    return encoding.lower().startswith(_DEPTH_ENCODINGS)


def image_to_msg(image: UInt8Image, header: Header) -> Image:
    """Returns an rgb8 message of an RGB image, uint8 [H, W, 3]."""
    return _raw_msg(image, "rgb8", header)


def mask_to_image(mask: BoolMask, header: Header) -> Image:
    """Returns a mono8 message of a mask, bool [H, W]: 255 inside, 0 outside."""
    return _raw_msg(_mask_pixels(mask), "mono8", header)


def image_to_jpeg(image: UInt8Image, header: Header, quality: int = 90) -> CompressedImage:
    """Returns a JPEG message of an RGB image, uint8 [H, W, 3]; quality is 1 to 100."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return _with_data(CompressedImage(header=header, format="rgb8; jpeg compressed bgr8"), encoded)


def mask_to_png(mask: BoolMask, header: Header) -> CompressedImage:
    """Returns a PNG message of a mask, bool [H, W]: 255 inside, 0 outside."""
    # One bit per pixel: any reader of PNG gives 0 and 255 back, and there is an eighth of the bytes to compress.
    encoded = cv2.imencode(".png", _mask_pixels(mask), (cv2.IMWRITE_PNG_BILEVEL, 1))[1]
    return _with_data(CompressedImage(header=header, format="mono8; png compressed mono8"), encoded)


def mask_from_msg(msg: Any) -> BoolMask:
    """Returns the mask, bool [H, W], of a mono8 Image or a compressed image; pixels above 127 are inside.

    Raises:
        ValueError: if the message is no readable image.
    """
    return image_decoder(msg)()[..., 0] > 127


def _mask_pixels(mask: BoolMask) -> UInt8Image:
    return mask.astype(np.uint8) * np.uint8(255)


def _raw_msg(pixels: UInt8Image, encoding: str, header: Header) -> Image:
    height, width = pixels.shape[:2]
    step = pixels.nbytes // height
    return _with_data(Image(header=header, height=height, width=width, encoding=encoding, step=step), pixels)


def _with_data(msg: _Message, pixels: UInt8Image) -> _Message:
    # Only assigning an array("B") takes it as it is; other types, and the constructor, copy element by element.
    data = array("B")
    data.frombytes(memoryview(np.ascontiguousarray(pixels)).cast("B"))
    msg.data = data
    return msg
