"""The demo's video: the pictures and the sound of a bag, with each collision's masks for a moment after its frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from cs3_msgs.msg import Collision
from rosbags.rosbag2 import Reader

from cs3_model.overlay import draw_overlay
from cs3_model.types import UInt8Image
from cs3_ros.conversions.audio import block_reader
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.images import image_decoder
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.message_types import typestore_with_cs3_msgs

_SHOWN_S = 0.4
_IMAGE_TYPE, _AUDIO_TYPE = "sensor_msgs/msg/CompressedImage", "cs3_msgs/msg/AudioChunk"
_TIME_BASE = Fraction(1, 90_000)


def write_overlay_video(bag: Path, path: Path, collisions: Sequence[Collision]) -> None:
    """Writes the overlay video.

    Args:
        bag: A bag of compressed images and audio chunks, as `cs3_ros.video_to_bag` makes them.
        path: MP4 to write.
        collisions: What the node published about the bag.
    """
    with Reader(bag) as reader, av.open(str(path), "w") as container:
        zero_ns = reader.start_time
        picture = container.add_stream("libx264", rate=30, options={"crf": "20", "preset": "veryfast"})
        picture.pix_fmt, picture.codec_context.time_base = "yuv420p", _TIME_BASE
        sound = container.add_stream("aac", rate=48_000, layout="mono")
        read_audio = block_reader(_AUDIO_TYPE)
        for message in _messages(reader):
            if message.__msgtype__ == _AUDIO_TYPE:
                block = read_audio(message, arrival_ns=0)
                container.mux(sound.encode(_audio_frame(block.samples.mean(axis=1), block.sample_rate_hz)))
            else:
                stamp_ns = stamp_to_ns(message.header.stamp)
                image = _with_masks(image_decoder(message)(), stamp_ns, collisions)
                if not picture.codec_context.is_open:
                    picture.height, picture.width = (side // 2 * 2 for side in image.shape[:2])
                frame = av.VideoFrame.from_ndarray(image[: picture.height, : picture.width], format="rgb24")
                frame.time_base = _TIME_BASE
                frame.pts = round((stamp_ns - zero_ns) / NS_PER_S / _TIME_BASE)
                container.mux(picture.encode(frame))
        container.mux(picture.encode())
        container.mux(sound.encode())


def _messages(reader: Reader) -> Iterator[Any]:
    """The images and the sound of a bag, in order."""
    typestore = typestore_with_cs3_msgs()
    wanted = [c for c in reader.connections if c.msgtype in (_IMAGE_TYPE, _AUDIO_TYPE)]
    for connection, _, data in reader.messages(wanted):
        yield typestore.deserialize_cdr(data, connection.msgtype)


def _audio_frame(mono: np.ndarray, rate_hz: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(mono.astype(np.float32)[None], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    return frame


def _with_masks(image: UInt8Image, stamp_ns: int, collisions: Sequence[Collision]) -> UInt8Image:
    for message in collisions:
        age_s = (stamp_ns - stamp_to_ns(message.header.stamp)) / NS_PER_S
        if 0.0 <= age_s < _SHOWN_S and message.masks:
            drawn = draw_overlay(image, collision_from_msg(message), trained=message.trained)
            return np.ascontiguousarray(drawn[-image.shape[0] :])
    return image
