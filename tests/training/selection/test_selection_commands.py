"""The commands that collect events and fit the selection, on a few generated samples and the networks that ship."""

from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from cs3_model.build import build_pipeline, load_preset
from cs3_model.moment.selection import load_selection
from tests.training.drawn_world import drawn_data_set
from training.selection.__main__ import app
from training.selection.collect import collect_events

NAMES = ["sim_cs3:train", "filmed_sim_cs3:train"]


@pytest.mark.slow
def test_events_are_collected_as_they_are_and_as_filmed_and_learned_from(tiny, tmp_path) -> None:
    def run(*words: object) -> str:
        result = CliRunner().invoke(app, list(map(str, words)))
        assert result.exit_code == 0, result.output
        return result.output

    data = [word for name in NAMES for word in ("--data", name.replace(":", f":{tiny}:"))]
    count = len(list((tiny / "train").glob("*/*/truth.json")))
    for expected in (count, 0):  # goes on where it stopped
        output = run("collect", tmp_path / "events", *data)
        assert [line.rsplit(": ")[-1] for line in output.splitlines() if "new events" in line] == (
            2 * [f"{expected} new events"]
        )
    events = [sorted((tmp_path / "events" / name.replace(":", "/")).iterdir()) for name in NAMES]
    assert [path.name for path in events[0]] == [path.name for path in events[1]]
    assert all(plain.read_bytes() != filmed.read_bytes() for plain, filmed in zip(*events, strict=True))

    learned = [word for name in NAMES for word in ("--train", name, "--validation", name)]
    small = ["--draws", 1, "--epochs", 1, "--networks", 1, "--held-back", 0.75]
    run("fit", tmp_path / "events", "--out", tmp_path / "selection.safetensors", *learned, *small)
    load_selection(tmp_path / "selection.safetensors")
    about = json.loads((tmp_path / "selection.json").read_text())
    assert about["events"] == 2 * (count - round(0.75 * count))
    assert list(about["scores"]) == [f"{name}, calibrated on" for name in NAMES]


def test_a_data_set_without_pictures_before_and_after_is_refused_in_one_line(tmp_path) -> None:
    data_set = drawn_data_set(tmp_path, 1)
    with pytest.raises(ValueError, match="no pictures before and after: nothing to learn from"):
        collect_events(
            data_set, pipeline=build_pipeline(load_preset("debug"), device=torch.device("cpu")), out=tmp_path / "events"
        )
    assert not (tmp_path / "events").exists()
