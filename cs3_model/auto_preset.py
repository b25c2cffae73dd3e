"""Which preset `auto` means on this machine: the large networks where they can run, the small ones elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs3_model.hints import cs3_command
from cs3_model.preset_files import AUTO
from cs3_model.weights.registry import FOUNDATION, find_weights
from cs3_model.weights.store import stored_path

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenPreset:
    """A preset, and why it was taken."""

    name: str
    """Of `cs3_model.preset_files.preset_names`, or a path."""
    note: str = ""
    """Why, and how to get the other one, in one line; empty if it was asked for by its name."""

    @property
    def title(self) -> str:
        """Name and note, for people."""
        return f"{self.name} ({self.note})" if self.note else self.name


def choose_preset(name: str, device: torch.device) -> ChosenPreset:
    """Resolves `auto`: `foundation` where its weights are stored and the device is a CUDA device, else `micro`.

    Args:
        name: Any other name is returned as it is.
        device: Where the networks will run.
    """
    if name != AUTO:
        return ChosenPreset(name=name)
    obstacles = []
    missing = [weights.name for weights in find_weights(FOUNDATION) if stored_path(weights) is None]
    if missing:
        command = cs3_command("weights fetch")
        obstacles.append(f"run {command} ({len(missing)} of {len(FOUNDATION)} files are not here)")
    if device.type != "cuda":
        obstacles.append(f"use a CUDA device (this is {device.type})")
    if obstacles:
        return ChosenPreset(
            name="micro", note=f"auto: knows simulation only; for foundation, {' and '.join(obstacles)}"
        )
    return ChosenPreset(
        name="foundation", note="auto: its weights and a CUDA device are here; preset micro is the other"
    )
