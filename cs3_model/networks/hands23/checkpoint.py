"""Loading the published Hands23 checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cs3_model.networks.hands23.config import Hands23Config
from cs3_model.networks.hands23.network import Hands23Network

CONSTANT_BUFFERS = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator.cell_anchors.")
"""Beginnings of the only names that a checkpoint may have beyond the network's own. Some versions of detectron2 save
these constants, which here are code."""


def hands23_from_checkpoint(checkpoint: Mapping[str, Any]) -> Hands23Network:
    """Builds the full-size network around the tensors of a checkpoint, without copying them.

    Args:
        checkpoint: what `torch.load(..., weights_only=True)` returns for `model_hands23.pth`: a state dict, or a
            training checkpoint that holds one under `model`.

    Raises:
        ValueError: if a tensor is missing, of another shape, or unknown.
    """
    tensors = checkpoint.get("model", checkpoint)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(CONSTANT_BUFFERS)}
    with torch.device("meta"):
        network = Hands23Network(Hands23Config())
    try:
        network.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise ValueError(f"these are not the weights of Hands23 (ResNeXt-101 32x8d FPN): {_shortened(error)}") from None
    return network


def _shortened(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines()[1:]]
    return "; ".join(line if len(line) <= 200 else f"{line[:200]}..." for line in lines)
