"""Says for each reason why tests were skipped how often it came up, and what would enable them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

HOW_TO_ENABLE = {
    "ROS 2 installation": "source /opt/ros/DISTRO/setup.bash && make test",
    "ROS 2": "make test",
    "cv_bridge": "sudo apt install ros-DISTRO-cv-bridge && source /opt/ros/DISTRO/setup.bash && make test",
    "lavapipe": "sudo apt install mesa-vulkan-drivers libegl1",
    "EGL": "sudo apt install libegl1 libegl-mesa0 libgl1-mesa-dri",
    "PortAudio": "sudo apt install libportaudio2",
    "Chromium": "sudo apt install chromium",
    "cmake": "sudo apt install cmake g++",
    "has a microphone": "unplug it",
    "CUDA": "run on a machine with an NVIDIA GPU",
    "shared/data": "put the recordings there",
    "rerun-sdk": ".venv/bin/uv pip install --python .venv/bin/python rerun-sdk",
    "does not compress": "nothing: the case does not exist",
    "history is not here": "git fetch --unshallow",
    "is an extra": ".venv/bin/uv pip install --python .venv/bin/python submitit",
}
"""From words of the reason to the command; the first that fits counts."""
ELSE = "make setup"
"""Everything else is a package of the environment."""


def lines_about_skips(reasons: Iterable[str]) -> list[str]:
    """Returns one line per reason, the most frequent first; `reasons` holds one entry per skipped test or file."""
    lines = []
    for reason, count in Counter(reason.removeprefix("Skipped: ") for reason in reasons).most_common():
        command = next((command for words, command in HOW_TO_ENABLE.items() if words in reason), ELSE)
        lines.append(f"{count} x {reason} -> {command}")
    return lines
