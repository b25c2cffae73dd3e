"""What becomes of the video of a bag where the disk is full."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_model.frame_ring import StoredFrame
from cs3_ros.replay.reporting.video import write_overlay_video
from tests.training.full_disk import room_for

pytestmark = pytest.mark.ros

NUM_PICTURES, PERIOD_NS = 12, 40_000_000


def write_noise(path: Path) -> bool:
    """Writes a video that does not compress well."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (NUM_PICTURES, 96, 128, 3), np.uint8)
    stamps_ns = [number * PERIOD_NS for number in range(NUM_PICTURES)]
    items = [
        (ns, StoredFrame(stamp_ns=ns, frame_id="camera", num_bytes=1, decode_image=lambda image=image: image))
        for ns, image in zip(stamps_ns, images, strict=True)
    ]
    return write_overlay_video(items, path, [])


def test_a_disk_that_is_full_at_any_byte_of_the_video_is_an_error(tmp_path) -> None:
    whole = tmp_path / "whole.mp4"
    assert write_noise(whole)
    size = whole.stat().st_size
    for room in (10, size // 3, size - 100, size - 1):  # the last are in the index, which is written at the end
        with room_for(room), pytest.raises(OSError) as caught:
            write_noise(tmp_path / "cut.mp4")
        assert caught.value.errno == errno.EFBIG
