"""The state of a training run on disk: trained tensors, optimizer, step and counts.

Random numbers need no state: those of a step are fixed by the seed and its number. Frozen weights are not saved.
"""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cs3_model.files import INCOMPLETE, write_whole

logger = logging.getLogger(__name__)

_KEPT = 2
"""The newest, and one in case that it is damaged after all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    """Steps done, skipped ones included."""
    skipped_steps: int = 0
    """Steps whose loss or gradient was not finite."""
    unreadable_samples: int = 0
    """Times that a sample could not be read and another took its place."""


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        path: the folder; made when the first checkpoint is written.
        config: what must be the same for a run to go on: recipe, data, seed and the like.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self._path = path
        self._config = dict(config)

    def steps(self) -> list[Path]:
        """All complete checkpoints, the oldest first."""
        return sorted(self._path.glob("step-*.pt"))

    def save(self, objective: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> Path:
        """Writes a checkpoint and deletes those that are no longer needed.

        Raises:
            ValueError: if it cannot be written; the earlier ones are still there.
        """
        state = {
            "config": self._config,
            "tensors": _trained_tensors(objective),
            "optimizer": optimizer.state_dict(),
            "progress": {name: getattr(progress, name) for name in Progress.__slots__},
        }
        path = self._path / f"step-{progress.step:08d}.pt"
        write_state(path, state)
        for old in self.steps()[:-_KEPT]:
            old.unlink()
        return path

    def resume(self, objective: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Loads the newest checkpoint; a fresh start if there is none.

        Raises:
            ValueError: if it belongs to another run, or none can be read: one line.
        """
        for left_over in self._path.glob(f".step-*{INCOMPLETE}"):
            left_over.unlink()
        paths = self.steps()
        for path in reversed(paths):
            try:
                state = torch.load(path, map_location="cpu", weights_only=True)
            except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
                logger.warning("%s is damaged (%s): trying the one before", path, type(error).__name__)
                continue
            return self._restore(path, state, objective, optimizer)
        if paths:
            raise ValueError(f"none of the checkpoints in {self._path} can be read; delete them to start anew")
        return Progress()

    def _restore(
        self, path: Path, state: Mapping[str, Any], objective: nn.Module, optimizer: torch.optim.Optimizer
    ) -> Progress:
        if not isinstance(state, dict) or state.keys() != {"config", "tensors", "optimizer", "progress"}:
            raise ValueError(f"{path} is no checkpoint of this program; name another --out")
        require_same_run(path, state["config"], self._config)
        mine, loaded = _trained_tensors(objective), state["tensors"]
        odd = sorted(mine.keys() ^ loaded.keys()) or [n for n in mine if mine[n].shape != loaded[n].shape]
        if odd:
            raise ValueError(
                f"{path} is of another architecture: {len(odd)} tensors differ (first: {odd[0]}); name another --out"
            )
        objective.load_state_dict(loaded, strict=False)
        optimizer.load_state_dict(state["optimizer"])
        return Progress(**state["progress"])


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a checkpoint as a whole.

    Raises:
        ValueError: if it cannot be written; what was at `path` before is still there.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_whole(path, buffer.getbuffer())


def require_same_run(path: Path, theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Compares what a checkpoint says of its run with the run that wants to go on from it.

    Raises:
        ValueError: if a value is not recorded or another: one line with the first of them.
    """
    if changed := [name for name in mine if name not in theirs or theirs[name] != mine[name]]:
        first = changed[0]
        was = f"was {theirs[first]!r}" if first in theirs else "was not recorded"
        raise ValueError(
            f"{path} belongs to another run: {first} {was} and is {mine[first]!r}"
            f"{f', and {len(changed) - 1} more differ' if changed[1:] else ''}; name another --out, or what it was"
        )


def _trained_tensors(objective: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in objective.named_parameters() if value.requires_grad}
