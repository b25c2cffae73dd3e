"""NumPy image and sound to a request of the service ~/segment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from cs3_msgs.srv import SegmentCollision
from std_msgs.msg import Header

from cs3_model.types import Frame, UInt8Image
from cs3_ros.client.plain_numbers import whole_number
from cs3_ros.conversions.audio import MAX_BLOCK_S, RATES_HZ, AudioFormat, audio_chunk_msg
from cs3_ros.conversions.images import image_to_msg
from cs3_ros.conversions.pcm import LOUDEST_FLOAT
from cs3_ros.conversions.picture_size import check_size
from cs3_ros.conversions.times import MAX_STAMP_NS, NS_PER_S, ns_to_stamp


def segment_request(
    image: UInt8Image, audio: npt.ArrayLike, sample_rate_hz: int, stamp_ns: int
) -> SegmentCollision.Request:
    """Returns the request; arguments as in `CollisionClient.segment`.

    Raises:
        ValueError: if an argument cannot be sent; it names what is wrong.
    """
    stamp_ns = whole_number("stamp_ns", stamp_ns, 0, MAX_STAMP_NS, hint=" (nanoseconds: time.time_ns())")
    rate_hz = whole_number("sample_rate_hz", sample_rate_hz, *RATES_HZ)
    frame = Frame(image=image, stamp_ns=stamp_ns)
    check_size(frame.image.shape[1], frame.image.shape[0])
    samples = _samples(audio)
    encoding, dtype = ("S16LE", "<i2") if samples.dtype == np.int16 else ("F32LE", "<f4")
    channels = samples.shape[1] if samples.ndim == 2 else 1
    audio_format = AudioFormat(sample_rate_hz=rate_hz, channels=channels, encoding=encoding)
    if (audio_s := samples.shape[0] / rate_hz) > MAX_BLOCK_S:
        raise ValueError(f"audio of {audio_s:.1f} s is too long, send at most {MAX_BLOCK_S:g} s around the collision")
    half_ns = samples.shape[0] * NS_PER_S // (2 * rate_hz)
    start_ns = max(0, stamp_ns - half_ns)  # stamps cannot be negative
    return SegmentCollision.Request(
        image=image_to_msg(frame.image, Header(stamp=ns_to_stamp(stamp_ns))),
        audio=audio_chunk_msg(samples.astype(dtype).tobytes(), audio_format=audio_format, stamp_ns=start_ns),
    )


def _samples(audio: npt.ArrayLike) -> np.ndarray:
    """The samples as an array of floats or int16 that a message can carry."""
    try:
        samples = np.asarray(audio)
    except ValueError:
        raise ValueError("audio must be samples [T] or [T, channels], got rows of different lengths") from None
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(f"audio must be samples [T] or [T, channels], got the shape {list(samples.shape)}")
    if samples.dtype != np.int16 and not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"audio must be floats in [-1, 1] or int16, got {samples.dtype}")
    if samples.dtype != np.int16 and not (peak := np.abs(samples).max()) <= LOUDEST_FLOAT:  # also NaN
        raise ValueError(f"audio must be finite floats in [-1, 1], or int16, got a peak of {peak:.4g}")
    return samples
