"""Small real videos, drawn scenes with exact answers, CSV files in the official format, and a generated world."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

RATE_HZ = 24_000
REPOSITORY = Path(__file__).resolve().parents[2]


SMALL_HW = (96, 96)
TINY_SIZES = {"train": 8, "counterfactual": 4, "twins": 2, "held_out": 2}


def _need_simulator() -> None:
    if importlib.util.find_spec("mujoco") is None:
        pytest.skip("the simulated world needs mujoco")
    from training.simulation.rendering.system_libraries import missing_for_filament

    if missing := missing_for_filament():
        pytest.skip(missing)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums come out alike only if they are cut into as many parts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def renderer():
    """A small Filament renderer."""
    _need_simulator()
    from training.simulation.rendering.renderers import make_renderer

    return make_renderer("filament", SMALL_HW)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, renderer) -> Path:
    """A data set of a few samples, made in this process."""
    from training.simulation.dataset.generate import make_and_write
    from training.simulation.dataset.generation_plan import GenerationPlan, SampleFormat, claim

    root = tmp_path_factory.mktemp("world")
    plan = GenerationPlan(root=root, sizes=TINY_SIZES, form=SampleFormat(size_hw=SMALL_HW), keep_clean=True)
    claim(plan)
    for name, size in TINY_SIZES.items():
        for scene in range(size // 2):
            make_and_write(plan, name, scene, renderer)
    return root


@pytest.fixture(scope="session")
def generated_world(tmp_path_factory) -> Path:
    """Sim-CS3 as its command makes it for `micro`, with the few first scenes of the splits train, val and test."""
    _need_simulator()
    folder = tmp_path_factory.mktemp("generated") / "sim_cs3"
    splits = ["--splits", "train", "val", "test"]
    sizes = ["--size", "train=4", "--size", "val=2", "--size", "test=16", "--workers", "1"]
    command = [sys.executable, "-m", "training.simulation", "make", str(folder), *splits, *sizes, "--only-at-onset"]
    made = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder


def picture_of_number(number: int) -> np.ndarray:
    """A grey picture [48, 64, 3] whose left half is bright in proportion to its number modulo 50."""
    image = np.full((48, 64, 3), 30, np.uint8)
    image[:, :32] = 40 + 4 * (number % 50)
    return image


def number_of_picture(image: np.ndarray) -> int:
    """Reads the number back."""
    return round((float(image[8:40, 8:24].mean()) - 40) / 4)


@pytest.fixture
def make_video() -> Callable[..., Path]:
    """Returns a function that writes a video whose pictures can be told apart, with clicks in its sound."""

    def make(path: Path, *, seconds: float = 1.0, fps: int = 25, click_s: Sequence[float] = (0.5,)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.zeros(round(seconds * RATE_HZ), np.int16)
        for time_s in click_s:
            sound[round(time_s * RATE_HZ) :][:24] = 20_000
        with av.open(str(path), "w") as container:
            video = container.add_stream("mpeg4", rate=fps)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.bit_rate = 4_000_000
            audio = container.add_stream("flac", rate=RATE_HZ, layout="mono")
            for number in range(round(seconds * fps)):
                picture = av.VideoFrame.from_ndarray(picture_of_number(number), format="rgb24")
                picture.pts, picture.time_base = number, Fraction(1, fps)
                container.mux(video.encode(picture))
            container.mux(video.encode())
            for start in range(0, sound.size, 1024):
                block = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
                container.mux(audio.encode(block))
            container.mux(audio.encode())
        return path

    return make
