"""Messages name a command that exists for whoever reads them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cs3_model.hints import cs3_command


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    return tmp_path


def test_in_a_checkout_with_an_environment_of_its_own_it_is_the_script(checkout, monkeypatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(checkout / ".venv-jazzy"))
    assert cs3_command("weights fetch", root=checkout) == "scripts/run cs3 weights fetch"


def test_in_a_workspace_it_is_ros2_run(checkout, monkeypatch) -> None:
    """The sources may be a checkout that was never set up."""
    prefix = checkout / "install" / "cs3_ros"
    (prefix / "lib" / "cs3_ros").mkdir(parents=True)
    (prefix / "lib" / "cs3_ros" / "cs3").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/opt/ros/jazzy:{prefix}")
    assert cs3_command("weights fetch", root=checkout) == "ros2 run cs3_ros cs3 weights fetch"


def test_elsewhere_it_is_on_the_path(checkout) -> None:
    assert cs3_command("weights fetch", root=checkout) == "cs3 weights fetch"
