"""Settings of the whole test run and the fixtures that every test may use."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.skips import lines_about_skips
from tests.sole_use import claim_domain_id
from tests.workers import (  # noqa: F401 (hooks)
    pytest_collection_modifyitems,
    pytest_runtest_logreport,
    pytest_xdist_auto_num_workers,
)

# Before anything imports rclpy: a graph of this process alone, on the loopback interface alone.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(claim_domain_id())

# Before anything imports torch: parallel workers share the cores instead of fighting for them.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // workers)))

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Returns a function that finds a file of the data folder beside the repository, or skips the test."""

    def find(relative: str) -> Path:
        path = SHARED_DATA / relative
        if not path.exists():
            pytest.skip(f"{relative} is not in {SHARED_DATA}")
        return path

    return find


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Returns a function that writes a small video.

    ``pictures`` maps times in milliseconds to grey values, ``sound`` times in milliseconds to S16 samples [T, C];
    None leaves the stream out.
    """
    import av

    def make(
        name: str,
        pictures: dict[int, int] | None,
        sound: dict[int, np.ndarray] | None,
        *,
        codecs: tuple[str, str] = ("mpeg4", "pcm_s16le"),
        rate_hz: int = 8000,
    ) -> Path:
        path = tmp_path / name
        parts = []
        with av.open(str(path), "w") as container:
            if pictures is not None:
                video = container.add_stream(codecs[0], rate=1000)
                video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
                for time_ms, grey in pictures.items():
                    image = np.full((48, 64, 3), grey, np.uint8)
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                    frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
                    parts.append((time_ms, video, frame))
            if sound is not None:
                layouts = {1: "mono", 2: "stereo"}
                channels = next(iter(sound.values())).shape[1]
                audio = container.add_stream(codecs[1], rate=rate_hz, layout=layouts[channels])
                for time_ms, samples in sound.items():
                    packed = samples.astype("<i2").reshape(1, -1)
                    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layouts[channels])
                    frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                    frame.pts = time_ms * rate_hz // 1000
                    parts.append((time_ms, audio, frame))
            for _, stream, frame in sorted(parts, key=lambda part: part[0]):
                container.mux(stream.encode(frame))
            for stream in container.streams:
                container.mux(stream.encode(None))
        return path

    return make


def pytest_collection_finish() -> None:
    """What was imported is there to stay: each node that frees its networks would search through all of it again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips the tests that need a CUDA device where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("PyTorch sees no CUDA device")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Ends with one line per reason of skipping and what would enable the tests."""
    reports = terminalreporter.getreports("skipped")
    if reports:
        terminalreporter.section("skipped, and what would enable it")
        for line in lines_about_skips(report.longrepr[2] for report in reports):
            terminalreporter.write_line(line)
