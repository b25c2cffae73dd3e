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
from cs3_ros.conversions.damage import is_damaged_jpeg
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
    bytes_per_pixel: int  # of a row of the message
    to_rgb: int | None  # an OpenCV colour conversion; None where the bytes are RGB already
    chroma_rows: int = 0  # planes of colour below the brightness: this many of their rows are one row of the picture
    even: bool = False  # whether two pixels, or four, share a colour


_LAYOUTS = {
    "rgb8": _PixelLayout(3, None),
    "bgr8": _PixelLayout(3, cv2.COLOR_BGR2RGB),
    "mono8": _PixelLayout(1, cv2.COLOR_GRAY2RGB),
    "rgba8": _PixelLayout(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _PixelLayout(4, cv2.COLOR_BGRA2RGB),
    "yuv422": _PixelLayout(2, cv2.COLOR_YUV2RGB_UYVY, even=True),
    "uyvy": _PixelLayout(2, cv2.COLOR_YUV2RGB_UYVY, even=True),
    "yuv422_yuy2": _PixelLayout(2, cv2.COLOR_YUV2RGB_YUY2, even=True),
    "yuyv": _PixelLayout(2, cv2.COLOR_YUV2RGB_YUY2, even=True),
    "nv12": _PixelLayout(1, cv2.COLOR_YUV2RGB_NV12, chroma_rows=1, even=True),
    "nv21": _PixelLayout(1, cv2.COLOR_YUV2RGB_NV21, chroma_rows=1, even=True),
    "yuv420": _PixelLayout(1, cv2.COLOR_YUV2RGB_I420, chroma_rows=2, even=True),
    "i420": _PixelLayout(1, cv2.COLOR_YUV2RGB_I420, chroma_rows=2, even=True),
    "bayer_rggb8": _PixelLayout(1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": _PixelLayout(1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": _PixelLayout(1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": _PixelLayout(1, cv2.COLOR_BayerGRBG2RGB),
}
RAW_ENCODINGS = tuple(_LAYOUTS)
"""Encodings of sensor_msgs/Image that can be decoded. All have 8 bits, so is_bigendian does not matter."""

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
"""Types of image topics that `image_decoder` and `frame_from_msg` take."""

_DEPTH_ENCODINGS = ("16uc1", "32fc1")
_HINTS = {
    "8uc1": "it does not say what its bytes mean: let the driver send mono8 or a Bayer encoding",
    "8uc3": "it does not say the order of its colours: let the driver send bgr8 or rgb8",
    "8uc4": "it does not say the order of its colours: let the driver send bgra8 or rgba8",
    "mono16": "it has 16 bits of grey, or is a depth image: let the driver send mono8, or connect the colour camera",
    "rgb16": "it has 16 bits: let the driver send rgb8",
    "bgr16": "it has 16 bits: let the driver send bgr8",
    "nv24": "it has a colour for each pixel: let the driver send nv12 or yuv422_yuy2",
    "jpeg": "it is compressed: publish it as sensor_msgs/CompressedImage",
    "mjpeg": "it is compressed: publish it as sensor_msgs/CompressedImage",
}


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
        raise ValueError(
            f"Image.encoding {msg.encoding!r} is not supported{_hint(msg.encoding)}; accepted: {', '.join(RAW_ENCODINGS)}"
        )
    if msg.height == 0 or msg.width == 0:
        raise ValueError(f"Image of encoding {msg.encoding} is empty: height {msg.height}, width {msg.width}")
    if layout.even and (msg.width % 2 or (layout.chroma_rows and msg.height % 2)):
        side, size = ("width", msg.width) if msg.width % 2 else ("height", msg.height)
        raise ValueError(f"Image.{side} must be even for encoding {msg.encoding}, got {size}")
    row_bytes = msg.width * layout.bytes_per_pixel
    with_colours = layout.chroma_rows and msg.step * 2 == 3 * msg.width  # as some drivers count
    step = msg.width if with_colours else msg.step
    if step < row_bytes:
        raise ValueError(
            f"Image.step must be at least {row_bytes} for width {msg.width} and encoding {msg.encoding}, got {msg.step}"
        )
    num_rows = msg.height * 3 // 2 if layout.chroma_rows else msg.height
    if len(msg.data) < num_rows * step:
        raise ValueError(
            f"Image.data must hold height {msg.height} * step {msg.step} = {msg.height * msg.step} bytes "
            f"for encoding {msg.encoding}, got {len(msg.data)}"
            if num_rows == msg.height
            else f"Image.data must hold 3/2 * height {msg.height} * step {step} = {num_rows * step} bytes "
            f"for encoding {msg.encoding}, got {len(msg.data)}"
        )
    check_size(msg.width, msg.height)
    if layout.chroma_rows:
        return lambda: _decode_planes(msg, layout, step)
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


def _decode_planes(msg: Any, layout: _PixelLayout, step: int) -> UInt8Image:
    """Brightness, then colours of half its height and width: interleaved, or one plane after the other."""
    height, width = msg.height, msg.width
    octets = np.frombuffer(msg.data, np.uint8)
    rows = np.empty((height * 3 // 2, width), np.uint8)
    rows[:height] = octets[: height * step].reshape(height, step)[:, :width]
    if layout.chroma_rows == 1:
        rows[height:] = octets[height * step : height * step * 3 // 2].reshape(height // 2, step)[:, :width]
    else:
        chroma = octets[height * step : height * step + height * (step // 2)].reshape(height, step // 2)
        rows[height:] = chroma[:, : width // 2].reshape(height // 2, width)
    assert layout.to_rgb is not None
    return np.asarray(cv2.cvtColor(rows, layout.to_rgb), np.uint8)


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
    if _is_mosaic(msg.format):
        raise ValueError(
            f"CompressedImage of format {msg.format!r} holds the raw mosaic of a Bayer sensor: "
            "debayer it before it is compressed (image_proc)"
        )
    return lambda: _decode_compressed(msg)


def _decode_compressed(msg: Any) -> UInt8Image:
    data = bytes(msg.data)
    damaged = data.startswith(JPEG_START) and is_damaged_jpeg(data)
    # An EXIF rotation would leave the pixel grid of the camera, in which masks and calibration are given.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = None if damaged else cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if bgr is None:
        raise ValueError(f"CompressedImage of format {msg.format!r}: its {len(data)} bytes are truncated or damaged")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr), np.uint8)


def _is_depth(encoding: str) -> bool:
    return encoding.lower().startswith(_DEPTH_ENCODINGS)


def _is_mosaic(message_format: str) -> bool:
    """Whether a sensor's mosaic was compressed as it is: image_transport names what it compressed at the end."""
    source, _, coding = message_format.lower().partition(";")
    target = coding.partition("compressed")[2].strip()
    return source.strip().startswith("bayer_") and target not in ("bgr8", "rgb8")


def _hint(encoding: str) -> str:
    if _is_depth(encoding):
        return " (this is a depth image: connect the colour camera)"
    name = encoding.lower().strip()
    if name in _LAYOUTS and name != encoding:
        return f" (write it {name!r})"
    hint = _HINTS.get(name, "it has 16 bits: let the driver send 8" if name.endswith("16") else "")
    return f" ({hint})" if hint else ""


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
    data.frombytes(np.ascontiguousarray(pixels).data.cast("B"))
    msg.data = data
    return msg
