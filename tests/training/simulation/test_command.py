"""The command line reads its options and refuses bad ones in one line."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from training.simulation.command import app


def test_several_splits_follow_one_option(tmp_path):
    command = [
        "make",
        str(tmp_path),
        "--splits",
        "val",
        "test",
        "--size",
        "val=0",
        "--size",
        "test=0",
        "--rate",
        "48000",
    ]
    made = CliRunner().invoke(app, command)
    assert made.exit_code == 0
    assert made.stdout == f"{tmp_path}: 0 new samples, 0 in all (val 0, test 0)\n"
    assert json.loads((tmp_path / "dataset.json").read_text(encoding="utf-8"))["format"]["rate_hz"] == 48_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["make", "FOLDER", "--splits", "trian"], "split must be one of train, val, .*, got 'trian'"),
        (["make", "FOLDER", "--size", "val"], "--size must be SPLIT=NUMBER, got 'val'"),
        (["make", "FOLDER", "--size", "val=3"], "must be even and not negative, got 3"),
        (["make", "FOLDER", "--level", "harder"], "level must be one of easy, medium, hard, outside, got 'harder'"),
        (["make", "FOLDER", "--renderer", "unreal"], "renderer must be one of filament, classic, got 'unreal'"),
        (["clip", "FOLDER", "--seconds", "1"], "duration_s must be 1.5 to 60, got 1.0"),
        (["sheet", "FOLDER", "sheet.png", "--split", "trian"], "split must be one of train, val, .*, got 'trian'"),
    ],
)
def test_a_bad_option_is_refused_in_one_line(tmp_path, options, message):
    refused = CliRunner().invoke(app, [str(tmp_path / "new") if word == "FOLDER" else word for word in options])
    assert refused.exit_code == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("training.simulation: ")
    assert re.search(message, line)
    assert not (tmp_path / "new").exists()
