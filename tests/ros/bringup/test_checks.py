"""What is missing is one line before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cs3_ros.bringup.arguments import SHIPPED_BAG, read_arguments
from cs3_ros.bringup.checks import check
from cs3_ros.bringup.processes import processes


def check_given(tmp_path: Path, **given: str) -> None:
    config = tmp_path / "a.rviz"
    config.touch()
    arguments = read_arguments(given)
    check(arguments, processes(arguments, rviz_config=config), node="/perception")


def test_what_is_there_passes(tmp_path) -> None:
    check_given(tmp_path, bag=str(SHIPPED_BAG), preset="debug", device="cuda:1", rerun_file=str(tmp_path / "a.rrd"))


@pytest.mark.parametrize(
    "given, words",
    [
        ({"bag": "nowhere"}, "there is no bag nowhere"),
        ({"bag": "{tmp}"}, "is no bag: it has no metadata.yaml"),
        ({"bag": "{tmp}/a.rviz"}, "is no ROS 2 bag"),
        ({"params_file": "nowhere.yaml"}, "params file nowhere.yaml cannot be read"),
        ({"preset": "nosuch"}, "unknown preset 'nosuch'; choose one of debug, foundation, micro"),
        ({"device": "tpu"}, "device must be auto, cpu, cuda or cuda:N, got 'tpu'"),
        ({"rviz": "true"}, "rviz2 is not installed: sudo apt install ros-$ROS_DISTRO-rviz2"),
        ({"rerun_file": "nowhere/a.rrd"}, "rerun_file: there is no folder nowhere"),
    ],
)
def test_what_is_missing_is_one_line(tmp_path, given, words) -> None:
    (tmp_path / "a.rviz").touch()
    with pytest.raises(ValueError) as caught:
        check_given(tmp_path, **{name: value.format(tmp=tmp_path) for name, value in given.items()})
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_preset_in_the_params_file_is_checked_unless_the_argument_overrides_it(tmp_path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("/**: {ros__parameters: {preset: nosuch}}")
    with pytest.raises(ValueError, match="unknown preset 'nosuch'"):
        check_given(tmp_path, params_file=str(params))
    check_given(tmp_path, params_file=str(params), preset="micro")
