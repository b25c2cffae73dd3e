"""The end of the test run's output."""

from __future__ import annotations

from tests.skips import lines_about_skips


def test_each_reason_gets_one_line_with_its_command_the_most_frequent_first() -> None:
    reasons = ["Skipped: PyTorch sees no CUDA device", *["Skipped: the PortAudio library is not installed"] * 2]
    assert lines_about_skips(reasons) == [
        "2 x the PortAudio library is not installed -> sudo apt install libportaudio2",
        "1 x PyTorch sees no CUDA device -> run on a machine with an NVIDIA GPU",
    ]


def test_what_no_system_package_brings_comes_with_the_environment() -> None:
    assert lines_about_skips(["Skipped: vision_msgs is not importable"]) == [
        "1 x vision_msgs is not importable -> make setup"
    ]
