"""Networks of micro small enough for tests, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from cs3_model.networks.micro.micro_parts import DEBUG_MICRO, MicroNetworks, load_micro, micro_file


def small_weights(path: Path, seed: int = 0) -> Path:
    """Writes random weights and returns their path."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        path.write_bytes(micro_file(MicroNetworks(DEBUG_MICRO), {}))
    return path


def small_networks(folder: Path) -> MicroNetworks:
    """Frozen, in evaluation mode."""
    return load_micro(small_weights(folder / "small.safetensors"), torch.device("cpu"))
