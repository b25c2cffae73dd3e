"""What is taken out of videos is what the videos hold, at the same times."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from training.data import DataSpec, open_data_set
from training.data.clip_media import read_picture
from training.data.extraction import extract_clip
from training.data.sound_windows import read_window
from training.extract import main

TRAIN = """\
annotation_id,participant_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class
P01_14_1,P01,P01_14,00:00:01.000,00:00:01.400,24000,33600,glass-only-collision
P01_14_2,P01,P01_14,00:00:02.210,00:00:02.900,53040,69600,metal-only-collision
P02_03_1,P02,P02_03,00:00:00.520,00:00:00.920,12480,22080,wood-only-collision
"""
OFFSETS_S = (0.0, 0.07, 0.2, 0.39)


@pytest.fixture
def epic(tmp_path, make_video):
    (tmp_path / "epic_train_filtered.csv").write_text(TRAIN)
    make_video(tmp_path / "videos/P01_14.mkv", seconds=3.0, click_s=[1.1, 2.5])
    make_video(tmp_path / "videos/P02_03.mkv", seconds=1.5, click_s=[0.6])
    return tmp_path


def extract(root, *arguments: str):
    command = typer.Typer()
    command.command()(main)
    return CliRunner().invoke(command, ["--data", f"epic_cs3:{root}", "--workers", "1", *arguments])


def samples(root):
    return open_data_set(DataSpec(name="epic_cs3", root=root, split="train")).samples


def level(image: np.ndarray) -> float:
    """Brightness of the left half, which rises by 4 from picture to picture."""
    return float(image[8:40, 8:24].mean())


def test_pictures_and_sound_are_those_of_the_videos_which_are_needed_no_more(epic) -> None:
    before = samples(epic)
    levels = [[level(sample.load_image_at(offset_s)) for offset_s in OFFSETS_S] for sample in before]
    windows = [read_window(sample.sound) for sample in before]
    # 1.0 s and so on at 25 Hz, to the nearest picture: 25, 27, 30 and 35.
    assert levels[0] == pytest.approx([140, 148, 160, 180], abs=1.5)
    result = extract(epic)
    assert result.exit_code == 0 and "2 videos, 3 clips, 0 failed" in result.output
    for video in ("P01_14", "P02_03"):
        (epic / f"videos/{video}.mkv").unlink()
    for sample, expected, window in zip(samples(epic), levels, windows, strict=True):
        assert [level(sample.load_image_at(offset_s)) for offset_s in OFFSETS_S] == pytest.approx(expected, abs=2)
        np.testing.assert_allclose(read_window(sample.sound).samples, window.samples, atol=2e-3)


def test_a_clip_comes_before_the_video_it_was_taken_from(epic) -> None:
    extract(epic)
    (epic / "videos/P02_03.mkv").write_bytes(b"not read any more")
    assert level(samples(epic)[2].load_image_at(0.1)) == pytest.approx(40 + 4 * 15.5, abs=4)


def test_what_is_there_is_left_as_it_is(epic) -> None:
    assert extract(epic).exit_code == 0
    (epic / "clips/P01_14_2.mp4").unlink()
    files = [*epic.glob("clips/*"), *epic.glob("audio/*")]
    times = {path: path.stat().st_mtime_ns for path in files}
    assert "1 videos, 1 clips, 0 failed" in extract(epic).output
    assert {path: path.stat().st_mtime_ns for path in files} == times and len(files) == 4
    assert sorted(path.name for path in epic.glob("clips/*")) == ["P01_14_1.mp4", "P01_14_2.mp4", "P02_03_1.mp4"]


def test_videos_that_are_missing_broken_or_too_short_are_named_and_the_others_done(epic) -> None:
    (epic / "videos/P02_03.mkv").write_bytes(b"broken")
    with (epic / "epic_train_filtered.csv").open("a") as file:
        file.write("P01_14_3,P01,P01_14,00:00:09.000,00:00:09.400,216000,225600,glass-only-collision\n")
        file.write("P03_01_1,P03,P03_01,00:00:09.000,00:00:09.400,216000,225600,glass-only-collision\n")
    result = extract(epic)
    assert result.exit_code == 1
    assert "video P03_01 (1 collisions)" in result.output and "P02_03.mkv cannot be read" in result.output
    assert "epic_train_filtered.csv, line 5: " in result.output and "has no pictures between 9.000 s" in result.output
    assert sorted(path.name for path in epic.glob("clips/*")) == ["P01_14_1.mp4", "P01_14_2.mp4"]
    assert not list(epic.rglob("*.incomplete"))


def test_clips_are_shrunk_in_their_shape_and_sound_is_mono_at_the_models_rate(epic) -> None:
    assert extract(epic, "--height", "24").exit_code == 0
    assert read_picture(epic / "clips/P01_14_1.mp4", 0.0).shape == (24, 32, 3)
    with soundfile.SoundFile(epic / "audio/P01_14.wav") as sound:
        assert (sound.samplerate, sound.channels, sound.frames) == (16_000, 1, 48_000)


def test_a_clip_of_a_video_without_pictures_is_refused(tmp_path) -> None:
    soundfile.write(tmp_path / "only.wav", np.zeros(16_000), 16_000)
    with pytest.raises(ValueError, match="has no pictures"):
        extract_clip(tmp_path / "only.wav", 0.0, 0.5, tmp_path / "clip.mp4", 0)
    assert not (tmp_path / "clip.mp4").exists()


def test_other_data_is_refused(tmp_path) -> None:
    command = typer.Typer()
    command.command()(main)
    result = CliRunner().invoke(command, ["--data", f"recordings:{tmp_path}:all"])
    assert result.exit_code == 2 and "--data must be of epic_cs3 or ego4d_cs3" in result.output
