"""The training loop of the stages of `micro`: AdamW, cosine schedule, averaged weights, checkpoints, curves.

A run can be killed at any moment; the same command goes on from its last checkpoint, and another command is refused.
"""

from __future__ import annotations

import copy
import csv
import math
import pickle
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from training.loop.checkpoints import require_same_run, write_state

_MAX_BAD_STEPS = 20
_SAVE_EVERY_S = 120.0
_SHOW_EVERY_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
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
            raise ValueError(f"LoopConfig.steps must be positive, got {self.steps}")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"LoopConfig.averaging must be in [0, 1), got {self.averaging}")


def fit(
    model: nn.Module,
    batches: Dataset,
    losses_of: Callable[[nn.Module, object, int], Mapping[str, Tensor]],
    config: LoopConfig,
    folder: Path,
    *,
    run: Mapping[str, str | int | bool],
) -> nn.Module:
    """Trains a model on batch 0, 1, 2, ... and returns its averaged copy, in evaluation mode.

    Args:
        model: parameters that require no gradient stay as they are.
        batches: batch `step` by index.
        losses_of: from model, batch and step to the parts of the loss, already weighted.
        config: how to learn.
        folder: of `checkpoint.pt` and `curves.csv`.
        run: what else must be the same for a run to go on, by names for people: data, batch size, seed and the like.

    Raises:
        ValueError: if the checkpoint in the folder belongs to another run or model, or cannot be written: one line.
        RuntimeError: if the loss is not finite too often.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    identity = dict(run) | {name.replace("_", " "): value for name, value in asdict(config).items()}
    del identity["loader workers"]  # they change nothing
    checkpoint = folder / "checkpoint.pt"
    start = _resume(checkpoint, identity, model, average, optimizer)
    loader = DataLoader(batches, batch_size=None, sampler=range(start, config.steps), num_workers=config.loader_workers)
    bad, saved_s, shown_s, begin_s, recent = 0, time.monotonic(), 0.0, time.monotonic(), {}
    model.train()
    for step, batch in enumerate(loader, start):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, config)
        torch.manual_seed(step)
        losses = losses_of(model, batch, step)
        loss = sum(losses.values())
        if not torch.isfinite(loss):
            bad += 1
            if bad > _MAX_BAD_STEPS:
                raise RuntimeError(f"the loss was not finite in {bad} steps, the last one {step}: lower the rate")
            continue
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        _average(average, model, min(config.averaging, (1 + step) / (10 + step)))
        for name, value in losses.items():
            recent[name] = 0.95 * recent.get(name, value.item()) + 0.05 * value.item()
        now_s = time.monotonic()
        if now_s - shown_s > _SHOW_EVERY_S or step + 1 == config.steps:
            shown_s = now_s
            _show(folder, step, config.steps, (now_s - begin_s) / (step + 1 - start), recent, bad)
        if now_s - saved_s > _SAVE_EVERY_S or step + 1 == config.steps:
            saved_s = now_s
            parts = {"model": model, "average": average, "optimizer": optimizer}
            state = {name: part.state_dict() for name, part in parts.items()}
            write_state(checkpoint, {"run": identity, "step": step + 1, **state})
    return average


def _schedule(step: int, config: LoopConfig) -> float:
    rise = min(1.0, (step + 1) / config.warm_up_steps)
    return rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / config.steps)))


@torch.no_grad()
def _average(average: nn.Module, model: nn.Module, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _resume(
    path: Path, run: Mapping[str, Any], model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}): delete it to start anew") from None
    require_same_run(path, state.get("run", {}) if isinstance(state, dict) else {}, run)
    try:
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is no checkpoint of this model ({reason}): choose another folder") from None
    return int(state["step"])


def _show(folder: Path, step: int, steps: int, step_s: float, recent: Mapping[str, float], bad: int) -> None:
    parts = ", ".join(f"{name} {value:.3f}" for name, value in recent.items())
    left = f"{step_s * (steps - step - 1) / 60:.1f} min left"
    skipped = f", {bad} skipped" if bad else ""
    print(f"step {step + 1} / {steps}, {step_s:.2f} s each, {left}{skipped}: {parts}", file=sys.stderr, flush=True)
    path = folder / "curves.csv"
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        if is_new:
            rows.writerow(["step", *recent])
        rows.writerow([step + 1, *(f"{value:.5f}" for value in recent.values())])
