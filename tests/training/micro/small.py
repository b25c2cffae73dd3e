"""Networks of micro small enough for tests, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from cs3_model.networks.micro.audio import MicroAudioConfig
from cs3_model.networks.micro.parts import MicroConfig, MicroNetworks, load_micro, save_micro
from cs3_model.networks.micro.vision import DEBUG_VISION

SMALL = MicroConfig(
    vision=DEBUG_VISION, audio=MicroAudioConfig(channels=(4, 4, 4, 4), temporal_channels=8, embedding_dim=8)
)


def small_weights(path: Path, seed: int = 0) -> Path:
    """Writes random weights and returns their path."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        save_micro(MicroNetworks(SMALL), path, {})
    return path


def small_networks(folder: Path) -> MicroNetworks:
    """Frozen, in evaluation mode."""
    return load_micro(small_weights(folder / "small.safetensors"), torch.device("cpu"))
