"""The commands that collect events and fit the selection, on a few generated samples and the networks that ship."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cs3_model.moment.selection import load_selection
from training.selection.__main__ import app

SPLITS = ["train", "filmed-train"]


@pytest.mark.slow
def test_events_are_collected_as_they_are_and_as_filmed_and_learned_from(tiny, tmp_path) -> None:
    def run(*words: object) -> str:
        result = CliRunner().invoke(app, list(map(str, words)))
        assert result.exit_code == 0, result.output
        return result.output

    named = [word for split in SPLITS for word in ("--split", split)]
    count = len(list((tiny / SPLITS[0]).glob("*/*/truth.json")))
    for expected in (count, 0):  # goes on where it stopped
        output = run("collect", tiny, tmp_path / "events", *named)
        assert [line.rsplit(": ")[-1] for line in output.splitlines() if "new events" in line] == (
            2 * [f"{expected} new events"]
        )
    events = [sorted((tmp_path / "events" / split).iterdir()) for split in SPLITS]
    assert [path.name for path in events[0]] == [path.name for path in events[1]]
    assert all(plain.read_bytes() != filmed.read_bytes() for plain, filmed in zip(*events, strict=True))

    learned = [word for split in SPLITS for word in ("--train", split, "--validation", split)]
    small = ["--draws", 1, "--epochs", 1, "--networks", 1, "--held-back", 0.75]
    run("fit", tmp_path / "events", "--out", tmp_path / "selection.safetensors", *learned, *small)
    load_selection(tmp_path / "selection.safetensors")
    about = json.loads((tmp_path / "selection.json").read_text())
    assert about["events"] == 2 * (count - round(0.75 * count))
    assert list(about["scores"]) == [f"{split}, calibrated on" for split in SPLITS]
