"""The pictures and the sound of a bag as a video, with each event's masks for a moment after its frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from cs3_model.overlay import draw_overlay
from cs3_model.types import AudioBlock, CollisionResult, UInt8Image
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.reading.bag_inputs import Item

_SHOWN_S = 0.4
_LONGEST_SILENCE_S = 10.0
_TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownEvent:
    """What is drawn over the pictures from one on."""

    frame_ns: int
    """Stamp of the first of these pictures, nanoseconds."""
    result: Callable[[], CollisionResult]
    """Called for each picture, so that not all masks need be in memory."""
    trained: bool


def write_overlay_video(items: Iterable[tuple[int, Item]], path: Path, events: Sequence[ShownEvent]) -> bool:
    """Writes the video: H.264 with AAC sound, on the clock of the stamps.

    Args:
        items: What `BagInputs.read` yields.
        path: MP4 to write.
        events: What to draw.

    Returns:
        False if the stamps jump: then there is no common time line, and no video.
    """
    try:
        with av.open(str(path), "w") as container:
            writer = _Writer(container, events)
            for _, item in items:
                writer.write(item)
            writer.close()
    except _TimeJumpError:
        path.unlink()
        return False
    return True


class _TimeJumpError(Exception):
    pass


class _Writer:
    def __init__(self, container: av.container.OutputContainer, events: Sequence[ShownEvent]) -> None:
        self._container, self._events = container, events
        self._picture = container.add_stream("libx264", rate=30, options={"crf": "20", "preset": "veryfast"})
        self._picture.pix_fmt, self._picture.codec_context.time_base = "yuv420p", _TIME_BASE
        self._sound = container.add_stream("aac", rate=48_000, layout="mono")
        self._zero_ns: int | None = None
        self._last_pts = -1
        self._heard_ns = 0  # sound that was written, counted from zero

    def write(self, item: Item) -> None:
        if self._zero_ns is None:
            self._zero_ns = item.stamp_ns
        time_ns = item.stamp_ns - self._zero_ns
        if isinstance(item, AudioBlock):
            self._write_sound(item, time_ns)
        else:
            try:
                image = item.decode_image()
            except Exception:  # decoders have exceptions of their own; the event, if any, has reported it
                return
            self._write_picture(self._with_masks(image, item.stamp_ns), time_ns)

    def close(self) -> None:
        for stream in (self._picture, self._sound):
            if stream.codec_context.is_open:
                self._container.mux(stream.encode())

    def _write_sound(self, block: AudioBlock, time_ns: int) -> None:
        """Samples follow each other in the file, so what is missing becomes silence and what is double is left out."""
        rate_hz = block.sample_rate_hz
        late = round((time_ns - self._heard_ns) / NS_PER_S * rate_hz)
        if abs(late) > _LONGEST_SILENCE_S * rate_hz:
            raise _TimeJumpError
        mono = block.samples.mean(axis=1, dtype=np.float32)
        if late > len(mono):  # not for the jitter of stamps
            mono = np.concatenate((np.zeros(late, np.float32), mono))
        elif late < -len(mono):
            return
        self._heard_ns += len(mono) * NS_PER_S // rate_hz
        frame = av.AudioFrame.from_ndarray(mono[None], format="flt", layout="mono")
        frame.sample_rate = rate_hz
        self._container.mux(self._sound.encode(frame))

    def _write_picture(self, image: UInt8Image, time_ns: int) -> None:
        stream = self._picture
        if not stream.codec_context.is_open:
            stream.height, stream.width = (side // 2 * 2 for side in image.shape[:2])
        pts = round(time_ns / NS_PER_S / _TIME_BASE)
        if abs(pts - self._last_pts) > _LONGEST_SILENCE_S / _TIME_BASE and self._last_pts >= 0:
            raise _TimeJumpError
        if pts <= self._last_pts or image.shape[0] < stream.height or image.shape[1] < stream.width:
            return
        frame = av.VideoFrame.from_ndarray(image[: stream.height, : stream.width], format="rgb24")
        frame.time_base, frame.pts, self._last_pts = _TIME_BASE, pts, pts
        self._container.mux(stream.encode(frame))

    def _with_masks(self, image: UInt8Image, stamp_ns: int) -> UInt8Image:
        for event in self._events:
            if 0.0 <= (stamp_ns - event.frame_ns) / NS_PER_S < _SHOWN_S:
                drawn = draw_overlay(image, event.result(), trained=event.trained)
                return np.ascontiguousarray(drawn[-image.shape[0] :])
        return image
