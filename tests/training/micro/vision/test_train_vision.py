"""The vision stage: where its weights may come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from cs3_model.networks.micro.vision import DEBUG_VISION, MicroVision, VisionConfig
from tests.training.micro.small import small_networks, small_weights
from training.micro.initial_weights import load_part
from training.micro.vision.scenes import list_scenes
from training.micro.vision.train_vision import main
from training.micro.vision.vision_gates import measure_vision


def run(data: Path, out: Path, *arguments: str):
    command = typer.Typer()
    command.command()(main)
    options = ["--data", data, "--out", out, "--steps", 1, "--batch-size", 2, "--debug", *arguments]
    return CliRunner().invoke(command, list(map(str, options)))


def test_the_vision_network_of_a_whole_micro_or_of_this_stage_are_a_start(make_scenes, tmp_path) -> None:
    wanted = small_networks(tmp_path).vision.state_dict()
    result = run(make_scenes(), tmp_path / "out", "--start-from", tmp_path / "small.safetensors", "--learning-rate", 0)
    assert result.exit_code == 0, result.output
    written = load_file(tmp_path / "out/vision.safetensors")
    trained = {name for name, _ in MicroVision(DEBUG_VISION).named_parameters()}
    assert trained and all(torch.equal(written[name].float(), wanted[name]) for name in trained)

    again = MicroVision(DEBUG_VISION)
    load_part(again, "vision", tmp_path / "out/vision.safetensors")
    assert all(torch.equal(value, wanted[name]) for name, value in again.named_parameters())
    assert all(value.requires_grad and value.dtype == torch.float32 for value in again.parameters())


def test_a_start_that_does_not_fit_is_one_clear_line(make_scenes, tmp_path) -> None:
    small = small_weights(tmp_path / "small.safetensors")
    with pytest.raises(ValueError, match=r"small.safetensors: these are not the weights of this size of vision: .*; n"):
        load_part(MicroVision(VisionConfig()), "vision", small)
    result = run(make_scenes(), tmp_path / "out", "--start-from", tmp_path / "no.safetensors")
    assert result.exit_code == 1 and result.output.startswith("error: ") and "does not exist" in result.output
    assert result.output.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_network_is_measured_on_pictures_as_they_are_and_as_filmed(make_scenes) -> None:
    """Of each of two scenes three objects are seen, two of them in hands; some views show less."""
    table = measure_vision(MicroVision(DEBUG_VISION), list_scenes(make_scenes(count=2), "train"))
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in table.splitlines()[2:]}
    counts = {name: (int(cells[1]), int(cells[3])) for name, cells in rows.items()}
    assert counts["held or not, at score .3"] == (4, 4)
    assert counts["IoU of a held box"][0] == 4 and counts["IoU of the mask of a true box"][0] == 6
    assert counts["IoU of a held box"][1] < 4
    assert all(0.0 <= float(cells[0]) <= 1.0 for cells in rows.values())
