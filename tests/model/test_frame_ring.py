"""The frame ring: bounded, sorted, decoded on demand only."""

from __future__ import annotations

import numpy as np

from cs3_model.frame_ring import FrameRing, StoredFrame


def push(ring: FrameRing, stamp_ns: int, num_bytes: int = 100) -> bool:
    frame = StoredFrame(
        stamp_ns=stamp_ns,
        frame_id="camera",
        num_bytes=num_bytes,
        decode_image=lambda: np.full((2, 2, 3), 7, np.uint8),
    )
    return ring.push(frame)


def test_the_nearest_frame_is_found() -> None:
    ring = FrameRing()
    for stamp_ns in (0, 33, 66, 100):
        push(ring, stamp_ns)
    assert [ring.nearest(time_ns).stamp_ns for time_ns in (-5, 16, 17, 50, 90, 500)] == [0, 0, 33, 66, 100, 100]


def test_the_oldest_frames_make_room() -> None:
    ring = FrameRing(max_bytes=250)
    for stamp_ns in (0, 33, 66):
        push(ring, stamp_ns)
    assert len(ring) == 2 and ring.num_bytes == 200
    assert ring.nearest(0).stamp_ns == 33


def test_a_frame_larger_than_the_ring_is_kept_alone() -> None:
    ring = FrameRing(max_bytes=10)
    push(ring, 0)
    push(ring, 33)
    assert len(ring) == 1 and ring.newest_ns == 33


def test_late_frames_are_sorted_in() -> None:
    ring = FrameRing()
    for stamp_ns in (0, 66, 33):
        push(ring, stamp_ns)
    assert ring.nearest(34).stamp_ns == 33 and ring.newest_ns == 66


def test_a_jump_back_forgets_everything() -> None:
    ring = FrameRing()
    push(ring, 10_000_000_000)
    assert push(ring, 1_000_000_000)
    assert len(ring) == 1 and ring.newest_ns == 1_000_000_000


def test_frames_are_decoded_on_demand() -> None:
    ring = FrameRing()
    push(ring, 5)
    frame = ring.nearest(5).decode()
    assert frame.stamp_ns == 5 and frame.frame_id == "camera" and frame.image.shape == (2, 2, 3)


def test_an_empty_ring_has_no_nearest_frame() -> None:
    assert FrameRing().nearest(0) is None and FrameRing().newest_ns is None
