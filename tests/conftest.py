"""Settings of the whole test run and the fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Before anything imports rclpy: a graph of this process alone, on the loopback interface alone.
# Domain ids above 101 would collide with the ephemeral ports of Linux.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)

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


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips the tests that need a CUDA device where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("PyTorch sees no CUDA device")
