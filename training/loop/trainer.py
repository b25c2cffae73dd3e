"""The training loop."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from training.loop.checkpoints import CheckpointFolder, Progress
from training.loop.distributed import Ranks
from training.weak.objective import Losses, WeakObjective
from training.weak.pairs import PairBatch
from training.weak.recipe import Recipe

_SHOWN = ("total", "image", "feature", "area")
"""Losses beside the progress bar."""


class RunStoppedError(Exception):
    """Training cannot go on; one line says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    """What the loop does beside training; none of it changes what is learned."""

    checkpoint_every: int = 1000
    """Steps between checkpoints: what a crash may cost."""
    log_every: int = 10
    """Steps between points in TensorBoard."""
    max_skipped_steps: int = 100
    """Steps whose loss or gradient is not finite after which the run stops."""


def build_optimizer(objective: WeakObjective, recipe: Recipe) -> torch.optim.Adam:
    """Adam with one rate for what was trained before and a multiple of it for what starts at random."""
    earlier, new = objective.model.trained_parameters()
    of_losses = [*objective.masker.parameters(), *objective.contrast.parameters()]
    new_rate = recipe.new_parts_multiplier * recipe.learning_rate
    groups = [(earlier, recipe.learning_rate), ([*new, *of_losses], new_rate)]
    return torch.optim.Adam(
        [
            {"params": [p for p in parameters if p.requires_grad], "lr": rate}
            for parameters, rate in groups
            if parameters
        ],
        weight_decay=recipe.weight_decay,
    )


class Trainer:
    """Trains an objective, from a step on.

    Args:
        objective: on its device.
        optimizer: of `build_optimizer`.
        seed: fixes the random numbers of every step.
        ranks: this process among all.
        checkpoints: where to save.
        log_folder: where TensorBoard finds the curves.
        config: of the loop.
    """

    def __init__(
        self,
        objective: WeakObjective,
        optimizer: torch.optim.Optimizer,
        *,
        seed: int,
        ranks: Ranks,
        checkpoints: CheckpointFolder,
        log_folder: Path,
        config: LoopConfig,
    ) -> None:
        self._objective = objective.train()
        self._optimizer = optimizer
        self._seed = seed
        self._ranks = ranks
        self._checkpoints = checkpoints
        self._log_folder = log_folder
        self._config = config
        self._device = next(objective.parameters()).device
        # The wrapper averages gradients over the processes; what is frozen takes no part.
        self._forward = DistributedDataParallel(objective, broadcast_buffers=False) if ranks.size > 1 else objective

    def run(self, batches: Iterable[PairBatch | str], progress: Progress, steps: int) -> Progress:
        """Trains on one batch per step, up to a number of steps.

        Raises:
            RunStoppedError: if a sample cannot be read, too many steps were not finite, or a checkpoint cannot be written.
        """
        with self._logging(progress.step) as log, self._progress_bar(progress.step, steps) as bar:
            before = time.perf_counter()
            for batch in batches:
                if isinstance(batch, str):
                    raise RunStoppedError(f"step {progress.step + 1}: {batch}")
                start = time.perf_counter()
                losses, gradient_norm = self.step(progress.step, batch)
                numbers = losses.as_numbers() | {"gradient norm": float(gradient_norm)}
                is_finite = math.isfinite(numbers["total"]) and math.isfinite(numbers["gradient norm"])
                if is_finite:
                    self._optimizer.step()
                progress = Progress(
                    step=progress.step + 1,
                    skipped_steps=progress.skipped_steps + (not is_finite),
                    unreadable_samples=progress.unreadable_samples + len(batch.unreadable),
                )
                for reason in batch.unreadable:
                    bar.write(f"unreadable, replaced: {reason}", file=sys.stderr)
                bar.set_postfix({name: f"{numbers[name]:.4f}" for name in _SHOWN}, refresh=False)
                bar.update()
                now = time.perf_counter()
                log(progress, numbers | {"seconds per step": now - before, "seconds waiting for data": start - before})
                before = now
                self._stop_if_diverged(progress, numbers)
                if progress.step % self._config.checkpoint_every == 0 or progress.step == steps:
                    self._save(progress, log)
        return progress

    def step(self, index: int, batch: PairBatch) -> tuple[Losses, torch.Tensor]:
        """Computes losses and gradients of a step, and the gradients' norm."""
        torch.manual_seed(_seed(self._seed, index, self._ranks.rank))  # dropout
        generator = torch.Generator(self._device).manual_seed(_seed(self._seed, index))
        self._optimizer.zero_grad(set_to_none=True)
        pixels, sounds = (tensor.to(self._device, non_blocking=True) for tensor in (batch.pixels_b3HW, batch.sounds_bX))
        losses = self._forward(pixels, sounds, generator)
        losses.total.backward()
        gradients = [p.grad for p in self._objective.parameters() if p.grad is not None]
        return losses, nn.utils.get_total_norm(gradients)

    def _save(self, progress: Progress, log: _Log) -> None:
        if not self._ranks.is_first:
            return
        log.flush()
        try:
            self._checkpoints.save(self._objective, self._optimizer, progress)
        except ValueError as error:
            raise RunStoppedError(f"step {progress.step}: {error}; free some space and go on with --resume") from None

    def _stop_if_diverged(self, progress: Progress, numbers: dict[str, float]) -> None:
        if progress.skipped_steps > self._config.max_skipped_steps:
            values = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            raise RunStoppedError(
                f"step {progress.step}: {progress.skipped_steps} steps had a loss or gradient that is not finite "
                f"({values}); lower learning_rate in the recipe or use --precision float32"
            )

    def _progress_bar(self, start: int, steps: int) -> tqdm:
        return tqdm(
            total=steps, initial=start, unit="step", file=sys.stderr, disable=not self._ranks.is_first, mininterval=1.0
        )

    @contextmanager
    def _logging(self, start: int) -> Iterator[_Log]:
        log = _Log(self._log_folder if self._ranks.is_first else None, start, self._config.log_every, self._optimizer)
        try:
            yield log
        finally:
            log.close()


class _Log:
    """Points of the curves in TensorBoard; none in the processes that do not write."""

    def __init__(self, folder: Path | None, start: int, every: int, optimizer: torch.optim.Optimizer) -> None:
        self._every = every
        self._optimizer = optimizer
        self._writer = None
        if folder is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise ValueError("the package tensorboard is missing: pip install tensorboard") from None
            _await_new_second(folder)
            # What an interrupted run logged after its last checkpoint comes again.
            self._writer = SummaryWriter(str(folder), purge_step=start + 1)

    def __call__(self, progress: Progress, numbers: dict[str, float]) -> None:
        if self._writer is None or progress.step % self._every:
            return
        points = numbers | {"skipped steps": progress.skipped_steps, "unreadable samples": progress.unreadable_samples}
        points |= {f"learning rate {i}": group["lr"] for i, group in enumerate(self._optimizer.param_groups)}
        if torch.cuda.is_available():
            points["GiB of GPU memory"] = torch.cuda.max_memory_allocated() / 2**30
        for name, value in points.items():
            self._writer.add_scalar(f"training/{name}", value, progress.step)

    def flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _await_new_second(folder: Path) -> None:
    """TensorBoard orders files by the second in their names; two of one second could be read the wrong way round."""
    seconds = [int(path.name.split(".")[3]) for path in folder.glob("events.out.tfevents.*")]
    if seconds and max(seconds) == int(time.time()):
        time.sleep(1.0 - time.time() % 1.0)
