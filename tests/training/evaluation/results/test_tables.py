"""The command that makes the page, whole, on drawn scenes and random weights."""

from __future__ import annotations

import cv2
import pytest
import torch
import typer
from safetensors.torch import save_file
from typer.testing import CliRunner

from cs3_model.networks.micro.micro_parts import DEBUG_MICRO
from cs3_model.networks.micro.weak import weakly_heard
from tests.training.drawn_world import drawn_data_set
from tests.training.micro.small import small_networks, small_weights
from training.data import READERS, Reader
from training.evaluation.baselines.mix_localize import MixtureNetwork, save_mixture
from training.evaluation.results.table_rows import SPLITS
from training.tables import main


@pytest.fixture
def arguments(tmp_path, monkeypatch) -> list[str]:
    reader = Reader(splits=tuple(SPLITS), evaluation_split="test", open=lambda root, split: drawn_data_set(root, 2))
    monkeypatch.setitem(READERS, "sim_cs3", reader)
    torch.manual_seed(0)
    token = weakly_heard(small_networks(tmp_path)).token.state_dict()
    save_file({f"token.{name}": value for name, value in token.items()}, tmp_path / "weak.safetensors")
    save_mixture(MixtureNetwork(DEBUG_MICRO), tmp_path / "mixture.safetensors")
    weights = [str(small_weights(tmp_path / f"{name}.safetensors", seed)) for seed, name in enumerate(("a", "b"))]
    files = ["--weights", weights[0], "--weights", weights[1], "--no-audio", weights[1]]
    files += ["--weak", f"{tmp_path}/weak.safetensors", "--mixture", f"{tmp_path}/mixture.safetensors"]
    places = ["--data", f"sim_cs3:{tmp_path}", "--out", f"{tmp_path}/docs/results.md", "--cache", f"{tmp_path}/cache"]
    return [*places, *files, "--shuffles", "2", "--device", "cpu"]


def run(*arguments: str):
    command = typer.Typer()
    command.command()(main)
    return CliRunner().invoke(command, list(arguments))


@pytest.mark.slow
def test_it_writes_page_and_plots_and_goes_on_from_its_cache(arguments, tmp_path) -> None:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "docs/results.md").read_text()
    for row in {row.label for rows in SPLITS.values() for row in rows}:
        assert f"| {row} |" in page, row
    for name in ("success_curves.png", "miou_by_stratum.png", "examples.png"):
        assert cv2.imread(str(tmp_path / "docs/images/results" / name)).std() > 5
        assert f"![](images/results/{name})" in page
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    again = run(*arguments)
    assert again.exit_code == 0 and {path: path.stat().st_mtime_ns for path in times} == times
    assert (tmp_path / "docs/results.md").read_text() == page


def test_another_data_set_is_refused(arguments) -> None:
    result = run(*arguments, "--data", "recordings:/nowhere")
    assert result.exit_code == 2 and "--data must be sim_cs3:PATH" in result.output
