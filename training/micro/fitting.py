"""How the stages of `micro` learn: AdamW, a cosine schedule, averaged weights, bfloat16 where that is quick.

A run can be killed at any moment; the same command goes on from its last checkpoint, and another command is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

from training.loop.checkpoints import CheckpointFolder, TrainingState
from training.loop.log import draw_losses
from training.loop.trainer import LoopConfig, StepLoss, Trainer

BatchT = TypeVar("BatchT")
ModelT = TypeVar("ModelT", bound=nn.Module)

_MAX_GRADIENT_NORM = 5.0
_LOOP = LoopConfig(checkpoint_every=100, max_skipped_steps=20)


@dataclass(frozen=True, kw_only=True, slots=True)
class StageConfig:
    """How long and how fast to learn.

    Raises:
        ValueError: if a value is out of its range.
    """

    steps: int
    """Batches."""
    learning_rate: float = 2e-3
    """Peak of the cosine schedule."""
    weight_decay: float = 0.03
    warm_up_steps: int = 100
    """Steps of rising learning rate."""
    averaging: float = 0.998
    """Decay of the running average of the weights, which is what is kept."""
    loader_workers: int = 1
    """Processes that prepare batches."""

    def __post_init__(self) -> None:
        if self.steps <= 0:
            raise ValueError(f"StageConfig.steps must be positive, got {self.steps}")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"StageConfig.averaging must be in [0, 1), got {self.averaging}")

    def rate_factor(self, step: int) -> float:
        """Returns the learning rate of a step as a share of the highest."""
        rise = min(1.0, (step + 1) / self.warm_up_steps)
        return rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / self.steps)))


def fit(
    model: ModelT,
    batches: Dataset[BatchT],
    losses_of: Callable[[ModelT, BatchT, int], Mapping[str, Tensor]],
    config: StageConfig,
    folder: Path,
    *,
    run: Mapping[str, str | int | bool],
    loop: LoopConfig = _LOOP,
) -> ModelT:
    """Trains a model on batch 0, 1, 2, ... and returns its averaged copy, in evaluation mode.

    Args:
        model: parameters that require no gradient stay as they are.
        batches: batch `step` by index.
        losses_of: from model, batch and step to the parts of the loss, already weighted; torch is seeded by the step.
        config: how to learn.
        folder: of `checkpoints/`, `tensorboard/`, and at the end `curves.png`.
        run: what else must be the same for a run to go on, by names for people: data, batch size, seed and the like.
        loop: what else the loop does.

    Raises:
        ValueError: if the checkpoint in the folder belongs to another run or model: one line.
        RunStoppedError: if the loss is not finite too often, or a checkpoint cannot be written.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
    average = averaged(model, config.averaging)
    state = TrainingState(model=model, optimizer=optimizer, average=average)
    checkpoints = CheckpointFolder(folder / "checkpoints", _identity(run, config))
    progress = checkpoints.resume(state)

    def loss_of(_: nn.Module, batch: BatchT, step: int) -> StepLoss:
        torch.manual_seed(step)
        losses = losses_of(model, batch, step)
        return StepLoss(total=torch.stack(list(losses.values())).sum(), parts=losses)

    steps = range(progress.step, config.steps)
    loader = DataLoader(batches, batch_size=None, sampler=steps, num_workers=config.loader_workers)
    trainer = Trainer(
        state,
        loss_of,
        checkpoints=checkpoints,
        log_folder=folder / "tensorboard",
        rate_factor=config.rate_factor,
        max_gradient_norm=_MAX_GRADIENT_NORM,
        config=loop,
    )
    trainer.run(loader, progress, config.steps)
    draw_losses(folder / "tensorboard", folder / "curves.png")
    return cast(ModelT, average.module.eval().requires_grad_(False))


def quick_autocast() -> torch.autocast:
    """Autocast to bfloat16 on processors that compute it; elsewhere none, since emulated it takes seven times as long."""
    capabilities = torch.cpu.get_capabilities()
    return torch.autocast(
        "cpu", torch.bfloat16, enabled=any(capabilities.get(f"{unit}_bf16") for unit in ("avx512", "amx"))
    )


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """Begins an exponential average of weights and batch statistics, in which the weights as they are come first.

    Early on it forgets faster than by `decay`, because the first weights are random.
    """

    def moved(average: Tensor, new: Tensor, num_averaged: Tensor | int) -> Tensor:
        share = min(decay, float(num_averaged) / (9 + float(num_averaged)))
        return torch.lerp(average, new, 1 - share) if average.is_floating_point() else new

    average = AveragedModel(model, avg_fn=moved, use_buffers=True)
    average.update_parameters(model)
    return average


def _identity(run: Mapping[str, str | int | bool], config: StageConfig) -> dict[str, Any]:
    identity = dict(run) | {name.replace("_", " "): value for name, value in asdict(config).items()}
    del identity["loader workers"]  # they change nothing
    return identity
