"""The state of a training run on disk: trained tensors, their average, optimizer, step and counts.

Random numbers need no state: those of a step are fixed by the seed and its number. Frozen weights are not saved.
"""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from cs3_model.files import INCOMPLETE, write_whole

logger = logging.getLogger(__name__)

_KEPT = 2
"""The newest, and one in case that it is damaged after all."""
_KEYS = {"config", "tensors", "average", "optimizer", "progress"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunProgress:
    """How far a run has come."""

    step: int = 0
    """Steps done, skipped ones included."""
    skipped_steps: int = 0
    """Steps whose loss or gradient was not finite."""
    unreadable_samples: int = 0
    """Times that a sample could not be read and another took its place."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainingState:
    """What a run changes."""

    model: nn.Module
    """Parameters that require no gradient stay as they are."""
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None = None
    """Averaged weights of the model; None: there are none."""


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

    def save(self, state: TrainingState, progress: RunProgress) -> Path:
        """Writes a checkpoint and deletes those that are no longer needed.

        Raises:
            ValueError: if it cannot be written; the earlier ones are still there.
        """
        content = {
            "config": self._config,
            "tensors": _trained_tensors(state.model),
            "average": _trained_tensors(state.average) if state.average is not None else {},
            "optimizer": state.optimizer.state_dict(),
            "progress": asdict(progress),
        }
        path = self._path / f"step-{progress.step:08d}.pt"
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_whole(path, buffer.getbuffer())
        for old in self.steps()[:-_KEPT]:
            old.unlink()
        return path

    def resume(self, state: TrainingState) -> RunProgress:
        """Loads the newest checkpoint into a state; a fresh start if there is none.

        Raises:
            ValueError: if it belongs to another run, or none can be read: one line.
        """
        for left_over in self._path.glob(f".step-*{INCOMPLETE}"):
            left_over.unlink(missing_ok=True)  # several processes may clean up at once
        paths = self.steps()
        for path in reversed(paths):
            try:
                content = torch.load(path, map_location="cpu", weights_only=True)
            except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
                logger.warning("%s is damaged (%s): trying the one before", path, type(error).__name__)
                continue
            return self._restore(path, content, state)
        if paths:
            raise ValueError(f"none of the checkpoints in {self._path} can be read; delete them to start anew")
        return RunProgress()

    def _restore(self, path: Path, content: object, state: TrainingState) -> RunProgress:
        if not isinstance(content, dict) or content.keys() != _KEYS:
            raise ValueError(f"{path} is no checkpoint of this program; name another --out")
        require_same_run(path, content["config"], self._config)
        _load(path, state.model, content["tensors"])
        if state.average is not None:
            _load(path, state.average, content["average"])
        state.optimizer.load_state_dict(content["optimizer"])
        return RunProgress(**content["progress"])


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


def _trained_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Returns what training changes: parameters with gradients, and buffers such as batch statistics."""
    parameters = module.named_parameters(remove_duplicate=False)
    frozen = {name for name, parameter in parameters if not parameter.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def _load(path: Path, module: nn.Module, loaded: Mapping[str, Tensor]) -> None:
    mine = _trained_tensors(module)
    odd = sorted(mine.keys() ^ loaded.keys()) or [name for name in mine if mine[name].shape != loaded[name].shape]
    if odd:
        raise ValueError(
            f"{path} is of another architecture: {len(odd)} tensors differ (first: {odd[0]}); name another --out"
        )
    module.load_state_dict(loaded, strict=False)
