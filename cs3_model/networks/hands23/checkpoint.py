"""Loading the published Hands23 checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cs3_model.networks.hands23.config import Hands23Config
from cs3_model.networks.hands23.network import Hands23Network

CONSTANT_BUFFERS = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator.cell_anchors.")
"""Beginnings of the only names that a checkpoint may have beyond the network's own. Some versions of detectron2 save
these constants, which here are code."""


def load_hands23(path: Path) -> Hands23Network:
    """Builds the full-size network with the weights of a local file, `model_hands23.pth`, on the CPU.

    Raises:
        ValueError: if the file is damaged or holds anything else.
        OSError: if it cannot be read.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is damaged or no PyTorch checkpoint ({type(error).__name__})") from None
    try:
        return hands23_from_checkpoint(checkpoint)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def hands23_from_checkpoint(checkpoint: Any) -> Hands23Network:
    """Builds the full-size network around the tensors of a checkpoint, without copying them.

    Args:
        checkpoint: a state dict, or a training checkpoint that holds one under `model`.

    Raises:
        ValueError: if a tensor is missing, of another shape, or unknown.
    """
    tensors = checkpoint.get("model", checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(tensors, Mapping):
        raise ValueError("these are not the weights of Hands23: there is no state dict")
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(CONSTANT_BUFFERS)}
    with torch.device("meta"):
        network = Hands23Network(Hands23Config())
    try:
        network.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise ValueError(f"these are not the weights of Hands23 (ResNeXt-101 32x8d FPN): {_shortened(error)}") from None
    return network.eval()


def _shortened(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines()[1:]]
    return "; ".join(line if len(line) <= 200 else f"{line[:200]}..." for line in lines[:3])
