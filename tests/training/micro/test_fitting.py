"""The loop of the stages: it learns, survives interruptions and refuses what it cannot use."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from tests.training.full_disk import room_for
from training.loop.log import read_curve
from training.loop.trainer import LoopConfig, RunStoppedError
from training.micro.fitting import StageConfig, averaged, fit, quick_autocast


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


def config(steps: int) -> StageConfig:
    return StageConfig(
        steps=steps, learning_rate=0.1, weight_decay=0.0, warm_up_steps=5, averaging=0.9, loader_workers=0
    )


RUN = {"data": "/lines", "number of scenes": 7, "batch size": 16, "seed": 0}


EVERY_STEP = LoopConfig(checkpoint_every=1, log_every=1, max_skipped_steps=20)


def fitted(folder: Path, *, losses=losses_of, steps: int = 3, run: dict = RUN, model: nn.Module | None = None):
    return fit(model or line(), Lines(), losses, config(steps), folder, run=run, loop=EVERY_STEP)


def test_it_learns_and_keeps_the_averaged_weights(tmp_path) -> None:
    model = fitted(tmp_path, steps=200)
    assert model.weight.item() == pytest.approx(3.0, abs=0.05) and model.bias.item() == pytest.approx(1.0, abs=0.05)
    errors = read_curve(tmp_path / "tensorboard", "loss/error")
    assert list(errors) == list(range(1, 201)) and errors[200] < 0.1 * errors[1]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path) -> None:
    whole = fitted(tmp_path / "whole", steps=60)

    def interrupted(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        if step == 40:
            raise KeyboardInterrupt
        return losses_of(model, batch, step)

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "parts", losses=interrupted, steps=60)
    resumed = fitted(tmp_path / "parts", steps=60)
    assert torch.equal(resumed.weight, whole.weight) and torch.equal(resumed.bias, whole.bias)


def test_a_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    fitted(tmp_path)
    with pytest.raises(
        ValueError, match=r"step-00000003.pt is of another architecture: 2 tensors differ \(first: weight\)"
    ):
        fitted(tmp_path, model=nn.Linear(1, 2))


def test_a_damaged_checkpoint_is_named(tmp_path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/step-00000002.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"none of the checkpoints in .* can be read; delete them to start anew"):
        fitted(tmp_path)


def test_losses_that_are_not_finite_are_skipped_and_stop_the_run_when_many(tmp_path) -> None:
    def sometimes(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        return {"error": losses_of(model, batch, step)["error"] * (torch.nan if step % 10 == 0 else 1.0)}

    assert torch.isfinite(fitted(tmp_path / "some", losses=sometimes, steps=50).weight).all()
    with pytest.raises(RunStoppedError, match="21 steps had a loss or gradient that is not finite"):
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
    with pytest.raises(ValueError, match=rf"step-00000003.pt belongs to another run: {line}; name another --out"):
        fitted(tmp_path, run=RUN | changed)


def test_another_length_is_another_run_because_the_rate_falls_until_the_end(tmp_path) -> None:
    fitted(tmp_path)
    with pytest.raises(ValueError, match="belongs to another run: steps was 3 and is 5"):
        fitted(tmp_path, steps=5)


def test_a_checkpoint_that_does_not_say_what_it_learned_from_is_refused(tmp_path) -> None:
    fitted(tmp_path)
    path = tmp_path / "checkpoints/step-00000003.pt"
    torch.save(torch.load(path) | {"config": {}}, path)
    with pytest.raises(ValueError, match="belongs to another run: data was not recorded and is '/lines', and 8 more"):
        fitted(tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path) -> None:

    def fills(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        if step == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return losses_of(model, batch, step)

    with (
        room_for(1_000_000),
        pytest.raises(RunStoppedError, match=r"step 3: .* cannot be written.*: File too large; .* again"),
    ):
        fitted(tmp_path, losses=fills, steps=5)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == [
        "step-00000001.pt",
        "step-00000002.pt",  # and nothing half-written
    ]


def test_the_average_begins_with_the_first_weights_and_forgets_them_fast() -> None:
    """Weights 0, 1, 2: after one step 1/10 of the old is kept, after the second 2/11."""
    model = nn.Linear(1, 1, bias=False)
    found = []
    for value in (0.0, 1.0, 2.0):
        nn.init.constant_(model.weight, value)
        if value == 0.0:
            average = averaged(model, decay=0.9)
        else:
            average.update_parameters(model)
        found.append(average.module.weight.item())
    assert found == pytest.approx([0.0, 0.9, 0.9 * 2 / 11 + 2.0 * 9 / 11])


def test_batch_statistics_are_averaged_and_counts_are_not() -> None:
    model = nn.BatchNorm1d(1, momentum=1.0)
    average = averaged(model, decay=0.9)
    model(torch.tensor([[1.0], [3.0]]))
    average.update_parameters(model)
    assert average.module.running_mean.item() == pytest.approx(0.9 * 2.0)
    assert average.module.num_batches_tracked.item() == 1


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_networks_compute_in_bfloat16_only_where_the_processor_does(capabilities, dtype, monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with quick_autocast():
        assert line()(torch.ones(2, 1)).dtype is dtype
