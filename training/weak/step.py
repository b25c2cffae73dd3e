"""One step of the weakly supervised training: its optimizer, its random numbers, and what the log says of its loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from training.loop.trainer import RunStoppedError, StepLoss
from training.weak.objective import WeakObjective
from training.weak.pairs import PairBatch
from training.weak.recipe import Recipe


def build_optimizer(objective: WeakObjective, recipe: Recipe) -> torch.optim.Adam:
    """Adam with one rate for what was trained before and a multiple of it for what starts at random."""
    earlier, new = objective.model.trained_parameters()
    new_rate = recipe.new_parts_multiplier * recipe.learning_rate
    groups = [(earlier, recipe.learning_rate), ([*new, *objective.masker.parameters()], new_rate)]
    return torch.optim.Adam(
        [
            {"params": [p for p in parameters if p.requires_grad], "lr": rate}
            for parameters, rate in groups
            if parameters
        ],
        weight_decay=recipe.weight_decay,
    )


class WeakStep:
    """The loss of a batch of pairs, for `training.loop.trainer.Trainer`.

    Args:
        device: of the objective.
        seed: fixes the random numbers of every step.
        rank: of this process; dropout differs between processes, the masks' noise does not.
    """

    def __init__(self, device: torch.device, *, seed: int, rank: int) -> None:
        self._device, self._seed, self._rank = device, seed, rank

    def __call__(self, objective: nn.Module, batch: PairBatch | str, step: int) -> StepLoss:
        """Computes the loss.

        Raises:
            RunStoppedError: if the batch is the reason why it could not be read.
        """
        if isinstance(batch, str):
            raise RunStoppedError(f"step {step + 1}: {batch}")
        torch.manual_seed(_seed(self._seed, step, self._rank))
        noise = torch.Generator(self._device).manual_seed(_seed(self._seed, step))
        pixels, sounds = (tensor.to(self._device, non_blocking=True) for tensor in (batch.pixels_b3HW, batch.sounds_bX))
        losses = objective(pixels, sounds, noise)
        return StepLoss(
            total=losses.total,
            parts={"image": losses.image, "feature": losses.feature, "area": losses.area},
            measured={"mask area": losses.mask_area},
            unreadable=batch.unreadable,
        )


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
