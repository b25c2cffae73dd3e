"""The last camera frames, undecoded, bounded in bytes.

Example, with room for two frames of 100 bytes::

    ring = FrameRing(max_bytes=200)
    ring.push(StoredFrame(stamp_ns=0, frame_id="camera", num_bytes=100, decode_image=decode_a))
    ring.push(StoredFrame(stamp_ns=33, frame_id="camera", num_bytes=100, decode_image=decode_b))
    ring.push(StoredFrame(stamp_ns=66, frame_id="camera", num_bytes=100, decode_image=decode_c))   # forgets that at 0
    ring.nearest(40).stamp_ns                                                                      # 33
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass

from cs3_model.types import Frame, UInt8Image

DecodeImage = Callable[[], UInt8Image]
"""Returns the RGB image, uint8 [H, W, 3]; raises ValueError if the data are broken."""

_JUMP_BACK_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StoredFrame:
    """A frame as it arrived, decoded only on demand."""

    stamp_ns: int
    """Time of exposure, nanoseconds."""
    frame_id: str
    """Coordinate frame of the camera."""
    num_bytes: int
    """Size of the undecoded data."""
    decode_image: DecodeImage
    """Called when the frame is needed, perhaps never."""

    def decode(self) -> Frame:
        """Decodes the image.

        Raises:
            ValueError: if the data are broken.
        """
        return Frame(image=self.decode_image(), stamp_ns=self.stamp_ns, frame_id=self.frame_id)


class FrameRing:
    """Keeps the newest frames, sorted by stamp, up to `max_bytes` of undecoded data.

    A stamp that lies more than a second before the newest frame is a jump of the clock: everything is forgotten.
    Frames that arrive late by less are sorted in. Not thread-safe.
    """

    def __init__(self, *, max_bytes: int = 128 * 2**20) -> None:
        if max_bytes <= 0:
            raise ValueError(f"max_bytes must be positive, got {max_bytes}")
        self.max_bytes = max_bytes
        self.clear()

    def __len__(self) -> int:
        return len(self._frames)

    def clear(self) -> None:
        """Forgets all frames."""
        self._frames: list[StoredFrame] = []
        self.num_bytes = 0

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest frame, None when empty."""
        return self._frames[-1].stamp_ns if self._frames else None

    def push(self, frame: StoredFrame) -> bool:
        """Stores one frame; the newest is kept whatever its size. Returns True if the clock jumped back."""
        jumped = self.newest_ns is not None and frame.stamp_ns < self.newest_ns - _JUMP_BACK_NS
        if jumped:
            self.clear()
        bisect.insort(self._frames, frame, key=lambda stored: stored.stamp_ns)
        self.num_bytes += frame.num_bytes
        while self.num_bytes > self.max_bytes and len(self._frames) > 1:
            self.num_bytes -= self._frames.pop(0).num_bytes
        return jumped

    def nearest(self, time_ns: int, *, after_ns: int | None = None, before_ns: int | None = None) -> StoredFrame | None:
        """The frame whose stamp is nearest to `time_ns`, the earlier one of two equally near; None if there is none.

        Args:
            time_ns: Where to look, nanoseconds.
            after_ns: Only frames later than this.
            before_ns: Only frames earlier than this.
        """
        frames = (
            frame
            for frame in self._frames
            if (after_ns is None or frame.stamp_ns > after_ns) and (before_ns is None or frame.stamp_ns < before_ns)
        )
        return min(frames, key=lambda frame: abs(frame.stamp_ns - time_ns), default=None)

    def gap_around(self, time_ns: int) -> tuple[int | None, int | None]:
        """Stamps of the last frame before a time and of the first at or after it, None where there is none."""
        index = bisect.bisect_left(self._frames, time_ns, key=lambda stored: stored.stamp_ns)
        before = self._frames[index - 1].stamp_ns if index else None
        return before, self._frames[index].stamp_ns if index < len(self._frames) else None
