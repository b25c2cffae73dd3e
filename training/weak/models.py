"""From a preset to the model that is trained for it: the one training module that knows presets and weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from cs3_model.build import Build, Preset

if TYPE_CHECKING:
    from training.weak.objective import TrainableModel


def build_model(preset: Preset, *, pooling_dropout: float, seed: int) -> TrainableModel:
    """Builds the networks of a preset's audio-visual part on the CPU.

    Args:
        preset: Its `audio_weights`, if any, are where training starts.
        pooling_dropout: Of the audio token.
        seed: Fixes weights that start at random.

    Raises:
        ValueError: if the part cannot be trained, or weights cannot be had or do not fit.
    """
    part = preset.parts.audio_visual
    if part not in MODEL_BUILDERS:
        raise ValueError(f"audio_visual part '{part}' cannot be trained; those that can: {', '.join(MODEL_BUILDERS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODEL_BUILDERS[part](preset, pooling_dropout)


def _debug(preset: Preset, pooling_dropout: float) -> TrainableModel:
    from cs3_model.networks.audio_visual import build_debug_audio_visual_network
    from training.weak.clipseg_model import CLIPSegModel

    network = build_debug_audio_visual_network()
    return CLIPSegModel(network, name="debug audio-visual network", pooling_dropout=pooling_dropout)


def _clipseg(preset: Preset, pooling_dropout: float) -> TrainableModel:
    from cs3_model.foundation import load_audio_visual_network
    from training.weak.clipseg_model import CLIPSegModel

    network = load_audio_visual_network(preset.audio_weights)
    return CLIPSegModel(network, name="BEATs + CLIPSeg rd64-refined", pooling_dropout=pooling_dropout)


def _micro_weak(preset: Preset, pooling_dropout: float) -> TrainableModel:
    from training.weak.micro_model import MicroWeakModel

    build = Build(preset=preset, device=torch.device("cpu"), seed=0)
    return MicroWeakModel(build.micro.audio_visual.networks)


MODEL_BUILDERS: dict[str, Callable[[Preset, float], TrainableModel]] = {
    "debug": _debug,
    "clipseg": _clipseg,
    "micro-weak": _micro_weak,
}
"""Audio-visual parts that can be trained."""
