"""From the name of a preset to a ready pipeline: the one module that knows presets, networks and weights."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
import yaml

from cs3_model.config import from_mapping
from cs3_model.pipeline import CollisionPipeline, PipelineConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PartNames:
    """Which implementation stands for each part; any preset can take any part from another."""

    audio_visual: str = "debug"
    """Audio-conditioned segmenter."""
    hands: str = "debug"
    """Hand-object detector."""
    boxes: str = "debug"
    """Box-to-mask segmenter."""

    def __post_init__(self) -> None:
        for part, builders in PART_BUILDERS.items():
            name = getattr(self, part)
            if name not in builders:
                raise ValueError(f"{part} must be one of {', '.join(builders)}, got '{name}'")


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """One named set of parts and options."""

    description: str = ""
    """One line for logs and reports."""
    parts: PartNames = field(default_factory=PartNames)
    """Implementation per part."""
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    """Options of the method."""


def preset_names() -> list[str]:
    """The presets that ship with the package."""
    return sorted(Path(entry.name).stem for entry in _preset_folder().iterdir() if entry.name.endswith(".yaml"))


def load_preset(name: str) -> Preset:
    """Reads a preset that ships with the package, or a YAML file of one's own.

    Raises:
        ValueError: if there is no such preset, or it holds unknown fields or bad values.
    """
    if name in preset_names():
        text = (_preset_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    elif name.endswith(".yaml") and Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise ValueError(f"unknown preset '{name}'; choose one of {', '.join(preset_names())}, or give a .yaml file")
    try:
        return from_mapping(Preset, yaml.safe_load(text) or {})
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"preset '{name}': {error}") from None


def select_device(device: str) -> torch.device:
    """Resolves "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: if the name means nothing or the device is not there.
    """
    if device == "auto":
        chosen = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if chosen.type == "cpu":
            logger.warning("no CUDA device was found: running on the CPU")
        return chosen
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got '{device}'") from None
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got '{device}'")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device '{device}' is not there: PyTorch sees {torch.cuda.device_count()} CUDA devices")
    return chosen


def build_pipeline(preset: Preset, *, device: torch.device, seed: int = 0) -> CollisionPipeline:
    """Builds all parts of a preset on a device, in evaluation mode.

    Args:
        preset: What to build.
        device: Where the networks run.
        seed: Fixes random weights, for parts that have no others.
    """
    parts = {
        part: builders[getattr(preset.parts, part)](device=device, seed=seed)
        for part, builders in PART_BUILDERS.items()
    }
    pipeline = CollisionPipeline(**parts, config=preset.pipeline)
    if not pipeline.trained:
        logger.warning("a part of this preset has RANDOM WEIGHTS: the masks mean nothing")
    return pipeline


def release_memory() -> None:
    """Gives the device memory of dropped pipelines back to the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _preset_folder() -> Any:
    return resources.files("cs3_model") / "presets"


def _debug_audio_visual(*, device: torch.device, seed: int) -> Any:
    from cs3_model.networks.audio_visual import build_debug_audio_visual_segmenter

    return build_debug_audio_visual_segmenter(seed=seed, device=device)


def _debug_hands(*, device: torch.device, seed: int) -> Any:
    from cs3_model.networks.hands23.detector import build_debug_hand_detector

    return build_debug_hand_detector(seed=seed, device=device)


def _debug_boxes(*, device: torch.device, seed: int) -> Any:
    from cs3_model.networks.sam import build_debug_box_segmenter

    return build_debug_box_segmenter(seed=seed, device=device)


PART_BUILDERS: dict[str, dict[str, Callable[..., Any]]] = {
    "audio_visual": {"debug": _debug_audio_visual},
    "hands": {"debug": _debug_hands},
    "boxes": {"debug": _debug_boxes},
}
"""Implementations of each part by name."""
