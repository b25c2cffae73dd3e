"""`make demo`, as a user runs it: everything in processes of their own, over real topics."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from cs3_model.onset import OnsetConfig
from cs3_model.types import Verdict
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.demo import SHIPPED_BAG, TRUTH_TOPIC, main
from cs3_ros.message_types import typestore_with_cs3_msgs

pytestmark = pytest.mark.ros
SIZE_HW = (480, 640)
NUM_HEARD = 6


@pytest.fixture(scope="module")
def truth() -> list:
    """The true collisions of the clip that ships, as rosbags messages."""
    typestore = typestore_with_cs3_msgs()
    with Reader(SHIPPED_BAG) as bag:
        connections = [connection for connection in bag.connections if connection.topic == TRUTH_TOPIC]
        return [typestore.deserialize_cdr(data, c.msgtype) for c, _, data in bag.messages(connections)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a finished demo, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "cs3_ros.demo", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


@pytest.mark.slow
def test_every_true_collision_is_heard_and_printed_on_a_line(demo: tuple[Path, str], truth: list) -> None:
    """Two of them are 18 ms apart: one sound, one line. A busy node answers the newest first."""
    with Reader(SHIPPED_BAG) as bag:
        zero_ns = bag.start_time
    true_s = [(stamp_to_ns(message.onset) - zero_ns) / NS_PER_S for message in truth]
    one_sound_s = OnsetConfig().peak.refractory_s
    true_s = [now for before, now in zip([float("-inf"), *true_s], true_s, strict=False) if now - before > one_sound_s]
    heard_s = sorted(float(line.split()[0]) for line in demo[1].splitlines() if line.split()[1:2] == ["s"])
    np.testing.assert_allclose(heard_s, true_s, atol=0.010)
    assert f"heard {len(heard_s)} of {len(truth)} collisions" in demo[1] and "knows simulation only" in demo[1]


def test_each_collision_leaves_its_overlay(demo: tuple[Path, str]) -> None:
    overlays = sorted(demo[0].glob("overlay_*.png"))
    assert len(overlays) == NUM_HEARD
    for path in overlays:
        height, width = cv2.imread(str(path)).shape[:2]
        assert width == SIZE_HW[1] and height > SIZE_HW[0]


def test_the_video_has_every_picture_and_the_sound(demo: tuple[Path, str]) -> None:
    with Reader(SHIPPED_BAG) as bag:
        num_images = next(c.msgcount for c in bag.connections if c.topic == "/image/compressed")
    with av.open(str(demo[0] / "overlay.mp4")) as container:
        assert container.streams.audio
        assert sum(1 for _ in container.decode(video=0)) == num_images


def test_the_results_are_a_bag_of_the_messages(demo: tuple[Path, str]) -> None:
    with Reader(demo[0] / "results") as bag:
        counts = {connection.topic: connection.msgcount for connection in bag.connections}
    assert counts == {"/perception/collision": NUM_HEARD, "/perception/overlay": NUM_HEARD}


def test_the_clip_that_ships_is_small_and_says_what_collides(truth: list) -> None:
    assert sum(path.stat().st_size for path in SHIPPED_BAG.iterdir()) <= 8_000_000
    assert len(truth) >= 4
    for message in truth:
        result = collision_from_msg(message)
        assert result.verdict is not Verdict.NONE
        assert all(mask.mask.shape == SIZE_HW and mask.mask.any() for mask in result.masks)


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").touch()
    assert main(["--out", str(tmp_path)]) == 1
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").exists()


def test_a_video_that_cannot_be_used_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "out"), "--video", str(tmp_path / "none.mp4")]) == 1
    assert "none.mp4" in capsys.readouterr().err
