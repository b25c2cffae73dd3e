"""The training loop: any model and loss, one process or several, one log, one progress bar, one kind of checkpoint."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from training.loop.checkpoints import CheckpointFolder, RunProgress, TrainingState
from training.loop.distributed import Ranks
from training.loop.log import LOSS, CurveLog

BatchT = TypeVar("BatchT")


class RunStoppedError(Exception):
    """Training cannot go on; one line says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    """What the loop does beside training; none of it changes what is learned."""

    checkpoint_every: int = 1000
    """Steps between checkpoints: what a crash may cost."""
    log_every: int = 10
    """Steps between points of the curves."""
    max_skipped_steps: int = 100
    """Steps whose loss or gradient is not finite after which the run stops."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepLoss:
    """The loss of one step and what the log says of it: scalars."""

    total: Tensor
    """What gradients are taken of."""
    parts: Mapping[str, Tensor]
    """What it is made of, by names for the log."""
    measured: Mapping[str, Tensor] = field(default_factory=dict)
    """Values for the log that are no part of the loss."""
    unreadable: tuple[str, ...] = ()
    """Samples that could not be read and were replaced, one line each."""


class Trainer(Generic[BatchT]):
    """Trains a model, from a step on.

    Args:
        state: what is trained, on its device; with an average, that follows every step.
        loss_of: from model, batch and step to the loss. Random numbers that it draws must depend on the step alone,
            so that a run that was interrupted goes on as if it had not been.
        checkpoints: where to save.
        log_folder: where TensorBoard finds the curves.
        ranks: this process among all; with several, they compute `state.model` as a whole, by calling it.
        rate_factor: from a step to what the optimizer's learning rates are multiplied by; None: they are constant.
        max_gradient_norm: longer gradients are scaled down to it.
        config: of the loop.
        how_to_go_on: what a user does to continue a run, for messages.
    """

    def __init__(
        self,
        state: TrainingState,
        loss_of: Callable[[nn.Module, BatchT, int], StepLoss],
        *,
        checkpoints: CheckpointFolder,
        log_folder: Path,
        ranks: Ranks | None = None,
        rate_factor: Callable[[int], float] | None = None,
        max_gradient_norm: float = math.inf,
        config: LoopConfig | None = None,
        how_to_go_on: str = "give the same command again",
    ) -> None:
        self._state = state
        self._loss_of = loss_of
        self._checkpoints = checkpoints
        self._log_folder = log_folder
        self._ranks = ranks or Ranks()
        self._rate_factor = rate_factor
        self._max_gradient_norm = max_gradient_norm
        self._config = config or LoopConfig()
        self._how_to_go_on = how_to_go_on
        model = state.model.train()
        # The wrapper averages gradients over the processes; what is frozen takes no part.
        self._model = DistributedDataParallel(model, broadcast_buffers=False) if self._ranks.size > 1 else model

    def run(self, batches: Iterable[BatchT], progress: RunProgress, steps: int) -> RunProgress:
        """Trains on one batch per step, up to a number of steps.

        Raises:
            RunStoppedError: if too many steps were not finite, or log or checkpoint cannot be written.
        """
        with self._logging(progress.step) as log, self._progress_bar(progress.step, steps) as bar:
            before_s = time.perf_counter()
            for batch in batches:
                start_s = time.perf_counter()
                loss, gradient_norm = self._compute_gradients(batch, progress.step)
                losses = {name: float(value.detach()) for name, value in {"total": loss.total, **loss.parts}.items()}
                is_finite = math.isfinite(losses["total"]) and math.isfinite(gradient_norm)
                if is_finite:
                    self._update()
                progress = RunProgress(
                    step=progress.step + 1,
                    skipped_steps=progress.skipped_steps + (not is_finite),
                    unreadable_samples=progress.unreadable_samples + len(loss.unreadable),
                )
                for reason in loss.unreadable:
                    bar.write(f"unreadable, replaced: {reason}", file=sys.stderr)
                bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()}, refresh=False)
                bar.update()
                now_s = time.perf_counter()
                times = {"seconds per step": now_s - before_s, "seconds waiting for data": start_s - before_s}
                before_s = now_s
                with self._stopping_on_a_full_disk(progress):
                    if progress.step % self._config.log_every == 0 or progress.step == steps:
                        measured = {name: float(value.detach()) for name, value in loss.measured.items()}
                        self._write(log, progress, losses, measured | {"gradient norm": gradient_norm} | times)
                    self._stop_if_diverged(progress, losses | {"gradient norm": gradient_norm})
                    if progress.step % self._config.checkpoint_every == 0 or progress.step == steps:
                        self._save(progress, log)
        return progress

    def _compute_gradients(self, batch: BatchT, step: int) -> tuple[StepLoss, float]:
        """Returns the loss, and the gradients' norm before they are scaled down."""
        self._set_rates(step)
        self._state.optimizer.zero_grad(set_to_none=True)
        loss = self._loss_of(self._model, batch, step)
        loss.total.backward()
        parameters = [parameter for parameter in self._state.model.parameters() if parameter.grad is not None]
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        if math.isfinite(self._max_gradient_norm):
            nn.utils.clip_grads_with_norm_(parameters, self._max_gradient_norm, norm)
        return loss, float(norm)

    def _set_rates(self, step: int) -> None:
        if self._rate_factor is not None:
            for group in self._state.optimizer.param_groups:
                # Saved with the optimizer, so that a resumed run multiplies the same rate.
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * self._rate_factor(step)

    def _update(self) -> None:
        self._state.optimizer.step()
        if self._state.average is not None:
            self._state.average.update_parameters(self._state.model)

    def _save(self, progress: RunProgress, log: CurveLog) -> None:
        if self._ranks.is_first:
            log.flush()
            self._checkpoints.save(self._state, progress)

    @contextmanager
    def _stopping_on_a_full_disk(self, progress: RunProgress) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise RunStoppedError(f"step {progress.step}: {error}; free some space and {self._how_to_go_on}") from None

    def _stop_if_diverged(self, progress: RunProgress, numbers: Mapping[str, float]) -> None:
        if progress.skipped_steps > self._config.max_skipped_steps:
            values = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            raise RunStoppedError(
                f"step {progress.step}: {progress.skipped_steps} steps had a loss or gradient that is not finite "
                f"({values}); lower the learning rate or compute in float32"
            )

    def _write(
        self, log: CurveLog, progress: RunProgress, losses: Mapping[str, float], measured: Mapping[str, float]
    ) -> None:
        points: dict[str, float] = dict(measured)
        points |= {"skipped steps": progress.skipped_steps, "unreadable samples": progress.unreadable_samples}
        points |= {f"learning rate {i}": group["lr"] for i, group in enumerate(self._state.optimizer.param_groups)}
        if torch.cuda.is_available():
            points["GiB of GPU memory"] = torch.cuda.max_memory_allocated() / 2**30
        tagged = {f"{LOSS}{name}": value for name, value in losses.items()}
        log.write(progress.step, tagged | {f"training/{name}": value for name, value in points.items()})

    def _progress_bar(self, start: int, steps: int) -> tqdm:  # type: ignore[type-arg]
        return tqdm(
            total=steps, initial=start, unit="step", file=sys.stderr, disable=not self._ranks.is_first, mininterval=1.0
        )

    @contextmanager
    def _logging(self, start: int) -> Iterator[CurveLog]:
        log = CurveLog(self._log_folder if self._ranks.is_first else None, start)
        try:
            yield log
        finally:
            log.close()
