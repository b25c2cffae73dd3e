"""Weights that a stage of `micro` begins with or builds on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import nn

import cs3_model
from cs3_model.networks.state_dicts import as_float32, load_strictly
from cs3_model.weights.checkpoint import read_checkpoint

SHIPPED = Path(cs3_model.__file__).with_name("presets") / "micro.safetensors"
"""The weights of the preset `micro`."""


Part = Literal["vision", "audio", "heard"]
"""A network of `micro`."""


def load_part(network: nn.Module, part: Part, path: Path) -> None:
    """Puts weights into one network of `micro`, as float32.

    Args:
        network: of the right size.
        part: which network it is.
        path: what the stage of this part wrote, or a whole `micro.safetensors`.

    Raises:
        ValueError: if the file cannot be read, or its weights do not fit: one line.
    """
    checkpoint = read_checkpoint(path, remedy=f"name weights of training.micro.train_{part}, or of a whole micro")
    tensors = as_float32(checkpoint.tensors.items())
    of_micro = {name.removeprefix(f"{part}."): v for name, v in tensors.items() if name.startswith(f"{part}.")}
    with checkpoint.blamed():
        load_strictly(network, of_micro or tensors, f"this size of {part}")
