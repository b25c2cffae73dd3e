"""The loop of the stages: it learns, survives interruptions and refuses what it cannot use."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from training.micro.loop import LoopConfig, fit


class Lines(Dataset):
    """Points on a line, by step."""

    def __getitem__(self, step: int) -> torch.Tensor:
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        return torch.cat([x, 3.0 * x + 1.0], 1)


def losses_of(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
    return {"error": ((model(batch[:, :1]) - batch[:, 1:]) ** 2).mean()}


def line() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def config(steps: int) -> LoopConfig:
    return LoopConfig(
        steps=steps, learning_rate=0.1, weight_decay=0.0, warm_up_steps=5, averaging=0.9, loader_workers=0
    )


def test_it_learns_and_keeps_the_averaged_weights(tmp_path) -> None:
    model = fit(line(), Lines(), losses_of, config(200), tmp_path)
    assert model.weight.item() == pytest.approx(3.0, abs=0.05) and model.bias.item() == pytest.approx(1.0, abs=0.05)
    assert (tmp_path / "curves.csv").read_text().startswith("step,error")


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path, monkeypatch) -> None:
    whole = fit(line(), Lines(), losses_of, config(60), tmp_path / "whole")

    def interrupted(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        if step == 40:
            raise KeyboardInterrupt
        return losses_of(model, batch, step)

    monkeypatch.setattr("training.micro.loop._SAVE_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        fit(line(), Lines(), interrupted, config(60), tmp_path / "parts")
    resumed = fit(line(), Lines(), losses_of, config(60), tmp_path / "parts")
    assert torch.equal(resumed.weight, whole.weight) and torch.equal(resumed.bias, whole.bias)


def test_a_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    fit(line(), Lines(), losses_of, config(3), tmp_path)
    with pytest.raises(ValueError, match="checkpoint.pt is no checkpoint of this model"):
        fit(nn.Linear(1, 2), Lines(), losses_of, config(3), tmp_path)


def test_a_damaged_checkpoint_is_named(tmp_path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="checkpoint.pt is no checkpoint of this model"):
        fit(line(), Lines(), losses_of, config(3), tmp_path)


def test_losses_that_are_not_finite_are_skipped_and_stop_the_run_when_many(tmp_path) -> None:
    def sometimes(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        return {"error": losses_of(model, batch, step)["error"] * (torch.nan if step % 10 == 0 else 1.0)}

    assert torch.isfinite(fit(line(), Lines(), sometimes, config(50), tmp_path / "some").weight).all()
    with pytest.raises(RuntimeError, match="the loss was not finite in 21 steps"):
        fit(line(), Lines(), sometimes, config(300), tmp_path / "many")


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch) -> None:
    fit(line(), Lines(), losses_of, config(3), tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    with pytest.raises(OSError, match="No space left"):
        fit(line(), Lines(), losses_of, config(5), tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before and not (tmp_path / ".checkpoint.pt").exists()
