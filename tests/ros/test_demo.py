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

from cs3_ros.demo import main
from cs3_ros.demo_clip import DURATION_S, FPS, HEIGHT, TAPS, WIDTH, draw_frames, draw_sound

pytestmark = [pytest.mark.ros, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a finished demo, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "cs3_ros.demo", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=230, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_each_tap_of_the_clip_is_heard_and_printed_on_a_line(demo: tuple[Path, str]) -> None:
    _, printed = demo
    heard_s = [float(line.split()[0]) for line in printed.splitlines() if line.split()[1:2] == ["s"]]
    np.testing.assert_allclose(heard_s, [tap_s for tap_s, _ in TAPS], atol=0.005)
    assert f"heard {len(TAPS)} collisions" in printed and "RANDOM WEIGHTS" in printed


def test_each_collision_leaves_its_overlay(demo: tuple[Path, str]) -> None:
    overlays = sorted(demo[0].glob("overlay_*.png"))
    assert len(overlays) == len(TAPS)
    for path in overlays:
        height, width = cv2.imread(str(path)).shape[:2]
        assert width == WIDTH and height > HEIGHT


def test_the_video_shows_the_whole_clip_with_its_sound(demo: tuple[Path, str]) -> None:
    with av.open(str(demo[0] / "overlay.mp4")) as container:
        assert container.streams.audio
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == round(DURATION_S * FPS)
    plain = list(draw_frames())
    tinted = [np.abs(picture.astype(int) - drawn).mean() for picture, drawn in zip(pictures, plain)]
    at_tap, at_rest = round(TAPS[0][0] * FPS) + 2, 2
    assert tinted[at_tap] > 2 * tinted[at_rest]


def test_the_results_are_a_bag_of_the_messages(demo: tuple[Path, str]) -> None:
    with Reader(demo[0] / "results") as bag:
        counts = {connection.topic: connection.msgcount for connection in bag.connections}
    assert counts == {"/perception/collision": len(TAPS), "/perception/overlay": len(TAPS)}


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").touch()
    assert main(["--out", str(tmp_path)]) == 1
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").exists()


def test_a_video_that_cannot_be_used_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "out"), "--video", str(tmp_path / "none.mp4")]) == 1
    assert "none.mp4" in capsys.readouterr().err


def test_the_clips_sound_peaks_at_its_taps() -> None:
    sound = draw_sound()
    for tap_s, _ in TAPS:
        at = round(tap_s * 48_000)
        assert np.abs(sound[at - 480 : at]).max() < 0.01 < 0.05 < np.abs(sound[at : at + 480]).max()
