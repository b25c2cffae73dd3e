"""`cs3 segment` with the debug preset: image and sound in, masks, picture and verdict out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from click.testing import Result
from typer.testing import CliRunner

from benchmarks import sounds
from cs3_model.cli import app
from cs3_model.cli.sound import read_window

RATE_HZ = 48_000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A small picture of noise."""
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8))
    return path


@pytest.fixture
def knocks(tmp_path: Path) -> Path:
    """Three seconds of stereo with a soft knock at 0.5 s and a loud one at 1.5 s."""
    rng = np.random.default_rng(1)
    sound = 1e-4 * rng.standard_normal(3 * RATE_HZ)
    for onset_s, loudness in ((0.5, 0.01), (1.5, 0.8)):
        knock = loudness * sounds.impact(rng, RATE_HZ)
        start = round(onset_s * RATE_HZ)
        sound[start : start + len(knock)] += knock
    path = tmp_path / "knocks.wav"
    soundfile.write(path, np.stack([sound, sound], axis=1), RATE_HZ)
    return path


def cs3(image: Path, audio: Path, out: Path, *options: str) -> Result:
    arguments = ["segment", str(image), str(audio), "--out", str(out), "--preset", "debug", "--device", "cpu", *options]
    return CliRunner().invoke(app, arguments)


def verdict(out: Path) -> dict:
    return json.loads((out / "verdict.json").read_text())


def test_masks_overlay_and_verdict_are_written(image: Path, knocks: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    result = cs3(image, knocks, out)
    assert result.exit_code == 0, result.output
    found = verdict(out)
    assert found["onset_s"] == pytest.approx(1.5, abs=0.01) and found["onset_strength_db"] > 20
    assert found["preset"] == "debug" and not found["trained"] and len(found["models"]) == 3
    assert {"none": 0, "one_object": 1, "two_objects": 2}[found["verdict"]] == len(found["masks"])
    for mask in found["masks"]:
        pixels = cv2.imread(str(out / mask["file"]), cv2.IMREAD_UNCHANGED)
        assert pixels.shape == (90, 160) and set(np.unique(pixels)) <= {0, 255}
    assert cv2.imread(str(out / "overlay.png")).shape[1] == 160


def test_masks_of_an_earlier_run_do_not_stay(image: Path, knocks: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mask_2.png").write_bytes(b"old")
    cs3(image, knocks, tmp_path / "out", "--strategy", "right")
    assert len(list((tmp_path / "out").glob("mask_*.png"))) == len(verdict(tmp_path / "out")["masks"]) <= 1


def test_the_onset_may_be_given(image: Path, knocks: Path, tmp_path: Path) -> None:
    assert cs3(image, knocks, tmp_path, "--onset", "0.5").exit_code == 0
    assert verdict(tmp_path)["onset_s"] == 0.5 and verdict(tmp_path)["onset_strength_db"] is None


def test_the_window_is_centred_on_the_onset_and_zero_beyond_the_file(knocks: Path) -> None:
    window, onset = read_window(knocks, 0.5, pre_s=1.0, post_s=1.0)
    assert onset.time_ns == 500_000_000 and window.start_ns == -500_000_000
    assert window.samples.size == 32_000 and np.abs(window.samples[:7900]).max() < 1e-6
    assert np.abs(window.samples[:15_900]).max() < 1e-3 < np.abs(window.samples[16_000:16_200]).max()


def test_a_given_onset_counts_from_the_files_earliest_picture(make_video: Callable[..., Path]) -> None:
    """Pictures begin 1 s before the sound, whose one loud sample is its 4000th at 8 kHz."""
    sound = np.zeros((16_000, 1))
    sound[4000] = 20_000
    window, _ = read_window(make_video("late.mkv", {0: 0, 1000: 0, 2000: 0}, {1000: sound}), 1.5, pre_s=1.0, post_s=1.0)
    assert abs(int(np.abs(window.samples).argmax()) - 16_000) <= 1


def test_an_onset_in_a_hole_of_the_sound_is_refused(make_video: Callable[..., Path]) -> None:
    path = make_video("hole.mkv", {0: 0}, {0: np.zeros((800, 1)), 5000: np.zeros((800, 1))})
    with pytest.raises(ValueError, match=r"hole.mkv has a hole in its sound at 2.50 s"):
        read_window(path, 2.5, pre_s=1.0, post_s=1.0)


@pytest.mark.parametrize(
    ("option", "missing"),
    [("--no-hands", {"left_hand", "right_hand"}), ("--heard-mask=map", set()), ("--heard-mask=point", set())],
)
def test_ablations_reach_the_pipeline(option: str, missing: set, image: Path, knocks: Path, tmp_path: Path) -> None:
    assert cs3(image, knocks, tmp_path, option, "--no-crop").exit_code == 0
    found = verdict(tmp_path)
    assert not missing & {role for mask in found["masks"] + found["rejected"] for role in mask["roles"]}


def test_a_real_video_is_heard(shared_data: Callable[[str], Path]) -> None:
    """The strongest of its fifteen labelled strokes."""
    _, onset = read_window(shared_data("real/chopping.mp4"), None, pre_s=1.0, post_s=1.0)
    labelled_s = np.loadtxt(shared_data("real/chopping.onsets.csv"), skiprows=1)
    assert np.abs(labelled_s - onset.time_ns / 1e9).min() < 0.01


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no image", "absent.png is not an image that OpenCV can read"),
        ("no audio", "absent.wav cannot be read as sound: No such file or directory"),
        ("audio is an image", "has no sound"),
        ("silence", "no collision was heard in .*silence.wav; say when it is with --onset"),
        ("onset beyond", r"onset must lie within .*\[0.00, 3.00\] s, got 9.0"),
        ("preset", "unknown preset 'huge'; choose one of debug"),
        ("device", "device must be auto, cpu"),
    ],
)
def test_bad_input_ends_with_one_line(case: str, message: str, image: Path, knocks: Path, tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(RATE_HZ), RATE_HZ)
    absent = tmp_path / "absent"
    arguments = {
        "no image": [absent.with_suffix(".png"), knocks],
        "no audio": [image, absent.with_suffix(".wav")],
        "audio is an image": [image, image],
        "silence": [image, silence],
        "onset beyond": [image, knocks, "--onset", "9"],
        "preset": [image, knocks, "--preset", "huge"],
        "device": [image, knocks, "--device", "tpu"],
    }[case]
    result = cs3(*arguments[:2], tmp_path / "out", *arguments[2:])
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert re.search(message, result.stderr)
