"""NumPy image and sound to a request of the service ~/segment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from cs3_msgs.srv import SegmentCollision
from std_msgs.msg import Header

from cs3_model.types import Frame, UInt8Image
from cs3_ros.conversions.audio import AudioFormat, audio_chunk_msg
from cs3_ros.conversions.images import image_to_msg
from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp


def segment_request(
    image: UInt8Image, audio: npt.ArrayLike, sample_rate_hz: int, stamp_ns: int
) -> SegmentCollision.Request:
    """Returns the request; arguments as in `CollisionClient.segment`.

    Raises:
        ValueError: if image or audio cannot be sent; it names what is wrong.
    """
    frame = Frame(image=image, stamp_ns=stamp_ns)
    samples = np.asarray(audio)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(f"audio must be samples [T] or [T, channels], got the shape {list(samples.shape)}")
    if samples.dtype != np.int16 and not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"audio must be floats in [-1, 1] or int16, got {samples.dtype}")
    encoding, dtype = ("S16LE", "<i2") if samples.dtype == np.int16 else ("F32LE", "<f4")
    channels = samples.shape[1] if samples.ndim == 2 else 1
    audio_format = AudioFormat(sample_rate_hz=sample_rate_hz, channels=channels, encoding=encoding)
    half_ns = samples.shape[0] * NS_PER_S // (2 * sample_rate_hz)
    start_ns = max(0, stamp_ns - half_ns)  # stamps cannot be negative
    return SegmentCollision.Request(
        image=image_to_msg(frame.image, Header(stamp=ns_to_stamp(stamp_ns))),
        audio=audio_chunk_msg(samples.astype(dtype).tobytes(), audio_format=audio_format, stamp_ns=start_ns),
    )
