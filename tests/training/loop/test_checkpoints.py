"""Checkpoints: whole or not there, the same run or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from tests.training.full_disk import room_for
from training.loop.checkpoints import CheckpointFolder, RunProgress, TrainingState


def network(width: int = 3, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 1))
    layers[1].requires_grad_(False)
    return layers


def adam(layers: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam([p for p in layers.parameters() if p.requires_grad], lr=0.1)


def state(layers: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> TrainingState:
    return TrainingState(model=layers, optimizer=optimizer or adam(layers))


def train(layers: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        layers(torch.ones(1, 2)).square().sum().backward()
        optimizer.step()


def saved(folder: Path, *steps: int, config: dict | None = None) -> tuple[CheckpointFolder, nn.Sequential]:
    checkpoints, layers = CheckpointFolder(folder, config or {"seed": 1}), network()
    optimizer = adam(layers)
    for step in steps:
        train(layers, optimizer, 1)
        checkpoints.save(state(layers, optimizer), RunProgress(step=step, skipped_steps=2, unreadable_samples=3))
    return checkpoints, layers


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path) -> None:
    checkpoints, layers = saved(tmp_path, 5)
    resumed = network(seed=9)
    optimizer = adam(resumed)
    resumed[1].load_state_dict(layers[1].state_dict())  # frozen weights come from elsewhere
    assert checkpoints.resume(state(resumed, optimizer)) == RunProgress(step=5, skipped_steps=2, unreadable_samples=3)
    train(resumed, optimizer, 3)
    reference = network()
    train(reference, adam(reference), 4)
    assert torch.equal(resumed[0].weight, reference[0].weight)


def test_frozen_weights_are_not_saved(tmp_path) -> None:
    saved(tmp_path, 1)
    assert torch.load(tmp_path / "step-00000001.pt")["tensors"].keys() == {"0.weight", "0.bias"}


def test_the_two_newest_are_kept(tmp_path) -> None:
    checkpoints, _ = saved(tmp_path, 8, 9, 10, 11)
    assert [path.name for path in checkpoints.steps()] == ["step-00000010.pt", "step-00000011.pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010.pt", "step-00000011.pt"]


def test_a_full_disk_leaves_the_earlier_checkpoint_and_nothing_half_written(tmp_path) -> None:
    checkpoints, layers = saved(tmp_path, 1)
    with (
        room_for(500),
        pytest.raises(ValueError, match=r"step-00000002.pt cannot be written \(0.0 MB\): File too large"),
    ):
        checkpoints.save(state(layers), RunProgress(step=2))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.pt"]


def test_what_a_killed_process_left_half_written_is_ignored_and_removed(tmp_path) -> None:
    checkpoints, layers = saved(tmp_path, 1)
    (tmp_path / ".step-00000002.pt.incomplete").write_bytes(b"half")
    assert checkpoints.resume(state(layers)).step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.pt"]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, caplog) -> None:
    checkpoints, layers = saved(tmp_path, 1, 2)
    newest = tmp_path / "step-00000002.pt"
    newest.write_bytes(newest.read_bytes()[:700])
    assert checkpoints.resume(state(layers)).step == 1
    assert "step-00000002.pt is damaged" in caplog.text
    (tmp_path / "step-00000001.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"none of the checkpoints in .* can be read"):
        checkpoints.resume(state(layers))


def test_without_a_checkpoint_a_run_begins(tmp_path) -> None:
    layers = network()
    assert CheckpointFolder(tmp_path / "none", {}).resume(state(layers)) == RunProgress()


def test_a_checkpoint_of_another_run_is_refused(tmp_path) -> None:
    _, layers = saved(tmp_path, 1, config={"seed": 1, "rate": 0.5, "model": "tiny"})
    other = CheckpointFolder(tmp_path, {"seed": 2, "rate": 0.1, "model": "tiny"})
    with pytest.raises(
        ValueError, match="belongs to another run: seed was 1 and is 2, and 1 more differ; name another"
    ):
        other.resume(state(layers))


def test_a_checkpoint_of_another_architecture_is_refused_in_one_line(tmp_path) -> None:
    checkpoints, _ = saved(tmp_path, 1)
    wider = network(width=4)
    with pytest.raises(ValueError, match=r"another architecture: 2 tensors differ \(first: 0.weight\)") as error:
        checkpoints.resume(state(wider))
    assert "\n" not in str(error.value)


def test_batch_statistics_and_averaged_weights_are_part_of_a_checkpoint(tmp_path) -> None:
    def normed(seed: int) -> TrainingState:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        return TrainingState(model=model, optimizer=adam(model), average=AveragedModel(model))

    before, after = normed(0), normed(1)
    before.model(torch.randn(4, 2))
    before.average.update_parameters(before.model)
    CheckpointFolder(tmp_path, {}).save(before, RunProgress(step=1))
    CheckpointFolder(tmp_path, {}).resume(after)
    assert before.model[1].running_mean.any()
    for mine, theirs in ((after.model, before.model), (after.average, before.average)):
        assert mine.state_dict().keys() == theirs.state_dict().keys()
        assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in mine.state_dict().items())
