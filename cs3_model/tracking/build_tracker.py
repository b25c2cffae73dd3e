"""From a preset to the tracker that suits its networks."""

from __future__ import annotations

import torch

from cs3_model.build import PART_BUILDERS, SAM2_NAMES, Build, Preset, sam2_size
from cs3_model.tracking.flow_tracker import FlowTracker
from cs3_model.tracking.tracker import Tracker


def build_tracker(preset: Preset, *, device: torch.device, seed: int = 0) -> Tracker:
    """Builds SAM 2 with its memory where the preset segments with SAM 2, otherwise flow and the preset's box segmenter.

    Args:
        preset: Whose part `boxes` follows.
        device: Where the network runs.
        seed: Fixes random weights, for parts that have no others.

    Raises:
        ValueError: if weights cannot be had or do not fit: one line with file, reason and remedy.
    """
    name = preset.parts.boxes
    if name in SAM2_NAMES:
        from cs3_model.foundation import load_sam2
        from cs3_model.tracking.memory_tracker import MemoryTracker

        return MemoryTracker(load_sam2(sam2_size(name)).to(device), name=f"{name}, memory", trained=True)
    return FlowTracker(PART_BUILDERS["boxes"][name](Build(preset=preset, device=device, seed=seed)))
