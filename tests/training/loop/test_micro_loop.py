"""The loop of the stages: it learns, survives interruptions and refuses what it cannot use."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from tests.training.full_disk import room_for
from training.loop.micro_loop import LoopConfig, fit


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


RUN = {"data": "/lines", "number of scenes": 7, "batch size": 16, "seed": 0}


def fitted(folder: Path, *, losses=losses_of, steps: int = 3, run: dict = RUN, model: nn.Module | None = None):
    return fit(model or line(), Lines(), losses, config(steps), folder, run=run)


def test_it_learns_and_keeps_the_averaged_weights(tmp_path) -> None:
    model = fitted(tmp_path, steps=200)
    assert model.weight.item() == pytest.approx(3.0, abs=0.05) and model.bias.item() == pytest.approx(1.0, abs=0.05)
    assert (tmp_path / "curves.csv").read_text().startswith("step,error")


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path, monkeypatch) -> None:
    whole = fitted(tmp_path / "whole", steps=60)

    def interrupted(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        if step == 40:
            raise KeyboardInterrupt
        return losses_of(model, batch, step)

    monkeypatch.setattr("training.loop.micro_loop._SAVE_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "parts", losses=interrupted, steps=60)
    resumed = fitted(tmp_path / "parts", steps=60)
    assert torch.equal(resumed.weight, whole.weight) and torch.equal(resumed.bias, whole.bias)


def test_a_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    fitted(tmp_path)
    with pytest.raises(ValueError, match=r"checkpoint.pt is no checkpoint of this model"):
        fitted(tmp_path, model=nn.Linear(1, 2))


def test_a_damaged_checkpoint_is_named(tmp_path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"checkpoint.pt is damaged \(UnpicklingError\): delete it to start anew"):
        fitted(tmp_path)


def test_losses_that_are_not_finite_are_skipped_and_stop_the_run_when_many(tmp_path) -> None:
    def sometimes(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        return {"error": losses_of(model, batch, step)["error"] * (torch.nan if step % 10 == 0 else 1.0)}

    assert torch.isfinite(fitted(tmp_path / "some", losses=sometimes, steps=50).weight).all()
    with pytest.raises(RuntimeError, match="the loss was not finite in 21 steps"):
        fitted(tmp_path / "many", losses=sometimes, steps=300)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"data": "/other"}, "data was '/lines' and is '/other'"),
        ({"number of scenes": 8}, "number of scenes was 7 and is 8"),
        ({"batch size": 4, "seed": 1}, "batch size was 16 and is 4, and 1 more differ"),
        ({"vision": "5a"}, "vision was not recorded and is '5a'"),
    ],
)
def test_another_run_does_not_go_on_from_a_checkpoint(tmp_path, changed, line) -> None:
    fitted(tmp_path)
    with pytest.raises(ValueError, match=rf"checkpoint.pt belongs to another run: {line}; name another --out"):
        fitted(tmp_path, run=RUN | changed)


def test_another_length_is_another_run_because_the_rate_falls_until_the_end(tmp_path) -> None:
    fitted(tmp_path)
    with pytest.raises(ValueError, match="belongs to another run: steps was 3 and is 5"):
        fitted(tmp_path, steps=5)


def test_a_checkpoint_that_does_not_say_what_it_learned_from_is_refused(tmp_path) -> None:
    fitted(tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt")
    del state["run"]
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="belongs to another run: data was not recorded and is '/lines', and 8 more"):
        fitted(tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("training.loop.micro_loop._SAVE_EVERY_S", 0.0)

    def fills(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        if step == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return losses_of(model, batch, step)

    with room_for(1_000_000), pytest.raises(ValueError, match=r"checkpoint.pt cannot be written .*: File too large"):
        fitted(tmp_path, losses=fills, steps=5)
    assert torch.load(tmp_path / "checkpoint.pt")["step"] == 2
    assert not list(tmp_path.glob(".*"))  # nothing half-written
