"""Seeds fix samples; interruptions and full disks leave whole samples only."""

from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import soundfile

from training.simulation.dataset import generate, storage
from training.simulation.dataset.generation_plan import GenerationPlan, SampleFormat, claim
from training.simulation.scenario.splits import SPLITS

SMALL = SampleFormat(size_hw=(96, 96))
REPOSITORY = Path(__file__).resolve().parents[4]


def digest_tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _command(folder: Path, workers: int) -> list[str]:
    arguments = ["--splits", "val", "--size", "val=6", "--width", "96", "--height", "96", "--workers"]
    return [sys.executable, "-m", "training.simulation", "make", str(folder), *arguments, str(workers)]


def test_a_scene_does_not_depend_on_what_was_made_before(tiny, tmp_path, renderer):
    plan = GenerationPlan(root=tmp_path, sizes={"counterfactual": 4}, form=SMALL, keep_clean=True)
    generate.make_and_write(plan, "counterfactual", 1, renderer)
    for index in (2, 3):
        again = storage.sample_folder(tmp_path, "counterfactual", index)
        assert digest_tree(again) == digest_tree(storage.sample_folder(tiny, "counterfactual", index))


def test_a_sample_at_48_khz_has_the_same_picture_and_sounds_above_8_khz(tiny, tmp_path, renderer):
    plan = GenerationPlan(root=tmp_path, form=SampleFormat(size_hw=(96, 96), rate_hz=48_000))
    generate.make_and_write(plan, "train", 0, renderer)
    folder = storage.sample_folder(tmp_path, "train", 0)
    slow = storage.sample_folder(tiny, "train", 0)
    assert (folder / "frame1.jpg").read_bytes() == (slow / "frame1.jpg").read_bytes()
    assert (folder / "ids.png").read_bytes() == (slow / "ids.png").read_bytes()
    truth = storage.read_truth(folder)
    sound, rate_hz = soundfile.read(folder / "sound.flac")
    assert (rate_hz, truth.sound.rate_hz, sound.shape) == (48_000, 48_000, (96_000,))
    power = np.abs(np.fft.rfft(sound)) ** 2
    assert power[16_000:].sum() > 1e-6 * power.sum()  # bins of half a hertz


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_data_set_with_another_number_of_workers(tmp_path, renderer):
    """Only its first process is killed; the others end by themselves."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    plan = GenerationPlan(root=whole, sizes={"val": 6}, form=SMALL)
    claim(plan)
    for scene in range(3):
        generate.make_and_write(plan, "val", scene, renderer)
    run = subprocess.Popen(_command(broken, 1), cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(broken.glob("val/*/0*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=300)
    assert workers and not alive
    leftover = broken / "val" / "000" / ".000005.1"
    leftover.mkdir(parents=True)
    subprocess.run(_command(broken, 2), cwd=REPOSITORY, check=True, capture_output=True)
    assert not leftover.exists()
    assert digest_tree(broken) == digest_tree(whole)


def test_a_full_disk_is_reported_and_leaves_no_broken_sample(tiny, tmp_path, monkeypatch):
    source = storage.sample_folder(tiny, "train", 0)
    frames = {number: cv2.imread(str(source / name)) for number, name in enumerate(storage.FRAME_NAMES)}
    truth = storage.read_truth(source)
    sound = np.zeros(100, np.float32)
    sample = storage.SimulatedSample(frames=frames, ids=storage.read_ids(source), sound=sound, clean=sound, truth=truth)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(storage.DiskFullError, match=r"no space left for .*000000"):
        storage.write_sample(tmp_path / "000000", sample)
    assert list(tmp_path.iterdir()) == []


def test_another_format_in_the_same_folder_is_refused(tiny):
    plan = GenerationPlan(root=tiny, sizes={"val": 2}, form=SampleFormat(size_hw=(128, 128)))
    with pytest.raises(ValueError, match="choose another folder"):
        generate.generate(plan)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": {"trian": 2}}, "split must be one of train, .*, got 'trian'"),
        ({"sizes": {"train": 3}}, "must be even"),
        ({"workers": -1}, "workers must be 0"),
        ({"renderer": "unreal"}, "renderer must be one of filament, classic"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_choices(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        GenerationPlan(root=tmp_path, **arguments)


def test_splits_have_seeds_of_their_own():
    numbers = [split.number for split in SPLITS.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.slow
def test_the_pictures_before_and_after_the_onset_can_be_left_out(tmp_path):
    command = [
        sys.executable,
        "-m",
        "training.simulation",
        "make",
        str(tmp_path),
        "--splits",
        "train",
        "--size",
        "train=2",
    ]
    subprocess.run([*command, "--only-at-onset", "--width", "64", "--height", "64"], cwd=REPOSITORY, check=True)
    names = {path.name for path in storage.sample_folder(tmp_path, "train", 1).iterdir()}
    assert names == {"frame1.jpg", "ids.png", "sound.flac", "truth.json"}
