"""The command, whole: files that it writes, and what it refuses."""

from __future__ import annotations

import json
import re
from functools import partial

import cv2
import pytest
import typer
from typer.testing import CliRunner

from cs3_model.provenance import source_commit
from tests.training.drawn_world import drawn_data_set
from training.data import READERS, Reader
from training.data.samples import DataSet
from training.evaluate import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Returns a function that runs the command on the drawn kitchen, found in READERS like any data set."""

    def open_drawn(root, split) -> DataSet:
        data_set = drawn_data_set(root, 4, ("high", "low", "none"))
        for path in getattr(run_command, "removed", ()):
            (root / path).unlink()
        return data_set

    reader = Reader(splits=("train", "test"), evaluation_split="test", open=open_drawn)
    monkeypatch.setitem(READERS, "drawn", reader)
    command = typer.Typer()
    command.command()(main)

    def run_command(*arguments: str, data: str = f"drawn:{tmp_path}"):
        return CliRunner().invoke(
            command, ["--data", data, "--out", str(tmp_path / "out"), "--device", "cpu", *arguments]
        )

    return run_command


@pytest.mark.slow
def test_it_writes_table_json_and_plots(run, tmp_path) -> None:
    methods = ["centre", "right", "held-nearest", "oracle", "prior-map"]
    arguments = [word for name in methods for word in ("--method", name)]
    result = run(*arguments, "--prior-data", f"drawn:{tmp_path}:test", "--seed", "3")
    assert result.exit_code == 0, result.output
    table = (tmp_path / "out/results.md").read_text()
    assert table in result.output
    assert "# drawn, test: 12 samples" in table and "seed 3" in table
    assert "| Oracle choice † | 8 | 75.00 (75.0-75.0) | 76.25" in table
    assert "| Right † | 8 | 25.00 (25.0-25.0) | 27.50" in table
    assert "No visible collision in 4 more samples; answered with no mask: Centre (10 % square) 0.0 %" in table
    assert "can be exact on more than 50.0 %" in table and "## By acting hand" in table
    assert "Figures of the paper" not in table
    for name in ("success_curves.png", "miou_by_stratum.png", "examples.png"):
        assert cv2.imread(str(tmp_path / "out" / name)).std() > 5

    written = json.loads((tmp_path / "out/results.json").read_text())
    assert written["config"]["method"] == methods and written["config"]["padding"] == "context"
    assert written["seed"] == 3 and written["skipped"] == []
    assert written["commit"] == source_commit()
    right = written["rows"][1]
    assert right["overall"]["iou"]["mean"] == 0.25 and right["strata"]["SNR"]["< 0 dB"]["num_samples"] == 4
    assert right["samples"][0]["score"] == {"matched_ious": [1.0], "num_predicted": 1, "num_true": 2}


def test_random_weights_are_said_beside_the_figures(run, tmp_path) -> None:
    result = run("--method", "preset:debug,use_crop=false", "--limit", "1")
    assert result.exit_code == 0, result.output
    assert "**Random weights, meaningless figures:** debug,use_crop=false" in (tmp_path / "out/results.md").read_text()


def test_skipped_samples_forbid_the_table(run, tmp_path) -> None:
    run.removed = ["1-low.flac", "2-high.flac"]
    result = run("--method", "centre")
    assert result.exit_code == 1 and "samples not read: 2" in result.output
    assert "1-low.flac does not exist" in result.output and "--allow-skipped" in result.output
    assert "mIoU" not in result.output and not (tmp_path / "out").exists()


def test_skipped_samples_are_counted_where_they_are_allowed(run, tmp_path) -> None:
    run.removed = ["1-low.flac", "2-high.flac"]
    result = run("--method", "centre", "--allow-skipped")
    assert result.exit_code == 0
    assert "**Samples skipped: 2.**" in (tmp_path / "out/results.md").read_text()
    written = json.loads((tmp_path / "out/results.json").read_text())
    assert [skipped["sample_id"] for skipped in written["skipped"]] == ["1-low", "2-high"]


def test_missing_files_are_listed_before_anything_runs(run, monkeypatch, tmp_path) -> None:
    def open_missing(root, split) -> DataSet:
        missing = tuple(f"pictures of video {number} (1 collision)" for number in range(25))
        samples = drawn_data_set(root, 1).samples
        return DataSet(
            name="drawn", split=split, samples=samples, missing=missing, places=("pictures: videos/{video}",)
        )

    monkeypatch.setitem(READERS, "drawn", Reader(splits=("test",), evaluation_split="test", open=open_missing))
    result = run("--method", "centre")
    assert result.exit_code == 1 and "missing: 25" in result.output
    assert "video 19 (1" in result.output and "and 5 more" in result.output
    assert "looked for pictures: videos/{video}" in result.output
    assert "video 20" not in result.output


def test_a_run_without_any_readable_sample_ends_as_an_error(run) -> None:
    run.removed = [f"{picture}-{event}.flac" for picture in range(4) for event in ("high", "low", "none")]
    result = run("--method", "centre", "--allow-skipped")
    assert result.exit_code == 2 and "no sample could be read; the first: " in result.output


def test_the_papers_figures_stand_beside_a_run_on_its_data(monkeypatch, run, tmp_path) -> None:
    drawn = partial(drawn_data_set, tmp_path, 1)
    reader = Reader(
        splits=("val",),
        evaluation_split="val",
        open=lambda root, split: DataSet(name="epic_cs3", split=split, samples=drawn().samples),
    )
    monkeypatch.setitem(READERS, "epic_cs3", reader)
    result = run("--method", "centre", data=f"epic_cs3:{tmp_path}")
    assert "Reported by Parida et al. (2025), with their weights; not measured here." in result.output
    assert "| 1 | Ours | 39.38 | 39.60 |" in result.output and "| 3 | Oracle | 44.10 | 44.38 |" in result.output


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        ("drawn", [], r"data must be NAME:PATH\[:SPLIT\] with a name of epic_cs3"),
        ("nowhere:/tmp", [], "data set must be one of epic_cs3, ego4d_cs3, .*drawn, got 'nowhere'"),
        ("drawn:/tmp", ["--split", "val"], "split of drawn must be one of train, test, got 'val'"),
        ("drawn:/not/there", [], "/not/there is not a folder: it should hold the files of drawn"),
        (None, ["--method", "oracel"], "method must be one of centre, .*got 'oracel'"),
        (None, ["--method", "prior-map"], "needs training samples: name them with --prior-data"),
        (None, ["--device", "tpu"], "device must be auto, cpu, cuda or cuda:N, got 'tpu'"),
    ],
)
def test_bad_options_end_with_one_line(data, arguments, message, run) -> None:
    result = run("--method", "centre", *arguments, **({"data": data} if data else {}))
    assert result.exit_code == 2 and result.output.count("error: ") == 1
    assert re.search(message, result.output)
