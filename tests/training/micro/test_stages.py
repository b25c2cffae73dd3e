"""One command for all stages: what it makes, and that it repeats nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cs3_model.build import build_pipeline, load_preset
from cs3_model.types import Frame
from tests.forked import run_module
from training.data import DataSpec, open_data_set
from training.data.sound_windows import read_window
from training.evaluation.methods import build_row
from training.evaluation.row import LoadedSample
from training.evaluation.row_spec import parse_row
from training.micro import stages
from training.micro.__main__ import main
from training.micro.audio import audio_hits
from training.micro.audio.audio_hits import make_hits
from training.micro.stages import Stage, StagePlan, run_stages, stages_of

REPOSITORY = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")


def copying(name: str, source: Path, folder: Path) -> Stage:
    """A stage that copies JSON, and fails where there is none."""
    made = folder / name / "made.json"
    made.parent.mkdir(exist_ok=True)
    command = ("json.tool", str(source), str(made))
    return Stage(name=name, command=command, made=made, kept=folder / f"{name}.json", needs=(source,))


@pytest.fixture
def chain(tmp_path) -> list[Stage]:
    (tmp_path / "start.json").write_text("1")
    first = copying("first", tmp_path / "start.json", tmp_path)
    return [first, copying("second", first.made, tmp_path)]


def titles(chain: list[Stage], out: Path, capsys) -> list[str]:
    assert run_stages(chain, out) == 0
    return capsys.readouterr().err.splitlines()


def test_finished_stages_are_skipped(chain, tmp_path, capsys) -> None:
    assert titles(chain, tmp_path, capsys) == ["stage 1 of 2, first", "stage 2 of 2, second"]
    assert json.loads((tmp_path / "second.json").read_text()) == 1
    again = titles(chain, tmp_path, capsys)
    assert again == ["stage 1 of 2, first: finished before", "stage 2 of 2, second: finished before"]
    (tmp_path / "second.json").unlink()
    assert titles(chain, tmp_path, capsys)[1] == "stage 2 of 2, second"


def test_a_stage_is_repeated_when_what_it_builds_on_changes(chain, tmp_path, capsys) -> None:
    titles(chain, tmp_path, capsys)
    (tmp_path / "start.json").write_text("2")
    assert titles(chain, tmp_path, capsys) == ["stage 1 of 2, first", "stage 2 of 2, second"]
    assert json.loads((tmp_path / "second.json").read_text()) == 2


def test_a_stage_that_fails_ends_the_command_and_the_next_one_goes_on(chain, tmp_path, capfd) -> None:
    source = tmp_path / "start.json"
    stages = [chain[0], copying("bad", tmp_path / "bad.json", tmp_path)]
    (tmp_path / "bad.json").write_text("no JSON")
    assert run_stages(stages, tmp_path) == 1
    assert "stage 2 of 2, bad: stopped; once the cause is gone, the same command goes on" in capfd.readouterr().err
    assert (tmp_path / "first.json").exists() and not (tmp_path / "bad.json.json").exists() and source.exists()
    (tmp_path / "bad.json").write_text("3")
    assert run_stages(stages, tmp_path) == 0
    assert "stage 1 of 2, first: finished before" in capfd.readouterr().err


def test_a_damaged_record_is_named(chain, tmp_path) -> None:
    (tmp_path / "stages.json").write_text("{")
    with pytest.raises(ValueError, match=r"stages.json cannot be read .*: delete it"):
        run_stages(chain, tmp_path)


def test_files_have_the_names_that_the_tables_are_made_from(tmp_path) -> None:
    stages = stages_of(StagePlan(data=Path("data"), out=tmp_path, seeds=3))
    assert [stage.kept.name for stage in stages] == [
        "hits", "audio.safetensors", "vision.safetensors", "micro-seed0.safetensors", "micro-seed1.safetensors",
        "micro-seed2.safetensors", "no-audio-seed0.safetensors", "weak-seed0.safetensors", "mixture-seed0.safetensors",
    ]  # fmt: skip
    assert not any("--debug" in stage.command or "--steps" in stage.command for stage in stages)


@pytest.mark.slow
def test_all_stages_end_in_weights_that_segment(generated_world, tmp_path, monkeypatch, capsys) -> None:
    """The whole command at debug size, on scenes generated for the tests, with a file of 50 hits instead of 500."""
    out, said = tmp_path / "micro", tmp_path / "said.txt"
    monkeypatch.setattr(audio_hits, "SHARD_SIZE", 50)
    assert sum(make_hits(out / "hits", 50, workers=1)) == 50
    with monkeypatch.context() as patched:
        patched.setattr(stages, "subprocess", SimpleNamespace(run=lambda command: run_module(command, said)))
        main(data=generated_world, out=out, hits=500, seeds=1, steps=3, debug=True)
    titles = capsys.readouterr().err
    assert "stage 7 of 7, mixture" in titles and f"--weights {out}/micro-seed0.safetensors" in titles
    assert "peak on target, own sound" in said.read_text() and "mean AUC" in said.read_text()

    sample = open_data_set(DataSpec(name="sim_cs3", root=generated_world, split="test")).samples[0]
    frame, window = Frame(image=sample.load_image()), read_window(sample.sound)
    mine = out / "mine.yaml"
    mine.write_text(
        "parts: {audio_visual: micro, hands: micro, boxes: micro}\nmicro_weights: micro-seed0.safetensors\n"
    )
    result = build_pipeline(load_preset(str(mine)), device=CPU).process(frame, window)
    assert np.isfinite(result.heatmap).all() and all(m.mask.shape == frame.size_hw for m in result.masks)
    scene = LoadedSample(sample=sample, frame=frame, window=window, objects=())
    ours = f"weights={out}/micro-seed0.safetensors"
    for method in (
        f"preset:micro,weights={out}/no-audio-seed0.safetensors",
        f"preset:micro,{ours},weak={out}/weak-seed0.safetensors,use_hands=false,heard_mask=map",
        f"mixture:{out}/mixture-seed0.safetensors,{ours}",
    ):
        masks = build_row(parse_row(method), device=CPU, seed=0).predict(scene).masks
        assert all(item.mask.shape == frame.size_hw for item in masks), method
    assert masks  # of the mixture, which always answers

    options = f"--data {generated_world} --out {out} --hits 500 --seeds 1 --steps 3 --debug".split()
    command = [sys.executable, "-m", "training.micro", *options]
    again = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert again.returncode == 0 and again.stderr.count(": finished before") == 7
