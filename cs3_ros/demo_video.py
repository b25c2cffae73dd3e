"""The demo's video: the clip with its sound, and each collision's masks for a moment after its frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from cs3_msgs.msg import Collision

from cs3_model.overlay import draw_overlay
from cs3_model.types import UInt8Image
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns

_SHOWN_S = 0.4


def write_overlay_video(video: Path, path: Path, collisions: Sequence[Collision], time_zero_ns: int) -> None:
    """Writes the overlay video.

    Args:
        video: The clip.
        path: MP4 to write.
        collisions: What the node published about the clip.
        time_zero_ns: Stamp of the clip's beginning.
    """
    starts_s = [(stamp_to_ns(message.header.stamp) - time_zero_ns) / NS_PER_S for message in collisions]
    with av.open(str(video)) as clip, av.open(str(path), "w") as out:
        source, sound = clip.streams.video[0], clip.streams.audio[0]
        picture = out.add_stream("libx264", rate=source.average_rate, options={"crf": "20", "preset": "veryfast"})
        picture.width, picture.height = source.width // 2 * 2, source.height // 2 * 2
        picture.pix_fmt = "yuv420p"
        heard = out.add_stream("aac", rate=sound.rate)
        for packet in clip.demux(source, sound):
            for frame in packet.decode():
                if packet.stream is sound:
                    frame.pts = None
                    out.mux(heard.encode(frame))
                    continue
                image = _with_masks(frame.to_ndarray(format="rgb24"), float(frame.time), starts_s, collisions)
                shown = av.VideoFrame.from_ndarray(image[: picture.height, : picture.width], format="rgb24")
                out.mux(picture.encode(shown))
        out.mux(picture.encode())
        out.mux(heard.encode())


def _with_masks(
    image: UInt8Image, time_s: float, starts_s: Sequence[float], collisions: Sequence[Collision]
) -> UInt8Image:
    for start_s, message in zip(starts_s, collisions):
        if 0.0 <= time_s - start_s + 1e-3 < _SHOWN_S and message.masks:
            drawn = draw_overlay(image, collision_from_msg(message), trained=message.trained)
            return np.ascontiguousarray(drawn[-image.shape[0] :])
    return image
