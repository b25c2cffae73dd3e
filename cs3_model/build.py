"""From the name of a preset to a ready pipeline: the one module that knows presets, networks and weights."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import yaml

from cs3_model.config_mapping import from_mapping
from cs3_model.memory import give_back_memory
from cs3_model.moment.motion import MOTION_S
from cs3_model.moment.selection import LearnedSelection, load_selection
from cs3_model.pipeline import CollisionPipeline, PipelineConfig
from cs3_model.placement import Compilation, Placement, Precision
from cs3_model.preset_files import PRESETS, read_preset_file
from cs3_model.strategies import Strategy
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioWindow, Float32Array, Frame, SideRule, check_window_span

if TYPE_CHECKING:
    from cs3_model.networks.micro.micro_parts import MicroParts
    from cs3_model.networks.sam import Sam2Size

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
    audio_weights: str = ""
    """Trained encoder and audio token for the `clipseg` and `micro-weak` parts: path of a file that `training.train`
    wrote, relative to the preset's own file. Empty: sound conditions CLIPSeg through AudioSet tags instead, without
    training."""
    micro_weights: str = ""
    """Weights of the `micro` parts: path of a file that `training.micro` wrote, relative to the preset's own file.
    Empty: those that ship with the package."""
    hand_sides: SideRule = SideRule.LABELS
    """How the part `hands23` tells left from right hands: `labels`, as the network says, or `position`, which decides
    where it gives two hands one label."""
    precision: Precision = Precision.AUTO
    """Type of the networks with published weights; random ones are float32."""
    compilation: Compilation = Compilation.NEVER
    """Whether networks with published weights are compiled; random ones never are."""
    selection_weights: str = ""
    """Weights of the strategy `learned`: path of a file that `training.selection` wrote, relative to the preset's own
    file. Empty: those that ship with the package, which learned what `micro` proposes."""
    audio_pre_s: float = 1.0
    """Sound before the onset that the networks hear, seconds."""
    audio_post_s: float = 1.0
    """Sound after the onset that the networks hear, seconds. A live answer cannot come earlier than this."""

    @property
    def motion_s(self) -> float:
        """How far before and after the onset's frame the frames lie that tell what moved, seconds; 0 without motion."""
        return MOTION_S if self.pipeline.strategy is Strategy.LEARNED else 0.0

    def __post_init__(self) -> None:
        check_window_span(self.audio_pre_s, self.audio_post_s)


def load_preset(name: str) -> Preset:
    """Reads a preset that ships with the package, or a YAML file of one's own.

    Raises:
        ValueError: if there is no such preset, or it holds unknown fields or bad values.
    """
    text, folder = read_preset_file(name)
    try:
        preset = _preset_of(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"preset '{name}': {error}") from None
    paths = {name: getattr(preset, name) for name in ("audio_weights", "micro_weights", "selection_weights")}
    paths = {name: str(folder / Path(path).expanduser()) for name, path in paths.items() if path}
    return replace(preset, **paths)


@lru_cache(maxsize=32)  # to read YAML takes long, and a table of results asks a thousand times
def _preset_of(text: str) -> Preset:
    return from_mapping(Preset, yaml.safe_load(text) or {})


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
    """Builds all parts of a preset on a device, in evaluation mode. Downloads weights that are not on this machine.

    Args:
        preset: What to build.
        device: Where the networks run.
        seed: Fixes random weights, for parts that have no others.

    Raises:
        ValueError: if weights cannot be had or do not fit: one line with file, reason and remedy.
    """
    build = Build(preset=preset, device=device, seed=seed)
    parts = {part: choices[getattr(preset.parts, part)](build) for part, choices in PART_BUILDERS.items()}
    pipeline = CollisionPipeline(**parts, config=preset.pipeline, selection=build_selection(preset))
    if not pipeline.trained:
        logger.warning("a part of this preset has RANDOM WEIGHTS: the masks mean nothing")
    return pipeline


def build_selection(preset: Preset) -> LearnedSelection | None:
    """The learned selection, where the preset's strategy asks for one.

    Raises:
        ValueError: if the file that it names is none.
    """
    if preset.pipeline.strategy is not Strategy.LEARNED:
        return None
    with resources.as_file(PRESETS / "micro_selection.safetensors") as shipped:
        return load_selection(Path(preset.selection_weights or shipped))


def warm_up(pipeline: CollisionPipeline, *, size_hw: tuple[int, int] = (720, 1280), window_s: float = 2.0) -> None:
    """Runs every shape, so that no later event waits for compilation or for the device's first use.

    Twice, because networks fill caches at their first call, which changes what was compiled. Best with the camera's
    image size and the length of the audio windows that will come.
    """
    noise = np.random.default_rng(0)
    frame = Frame(image=noise.integers(0, 256, (*size_hw, 3), np.uint8))
    samples = noise.uniform(-0.1, 0.1, round(window_s * MODEL_SAMPLE_RATE_HZ)).astype(np.float32)
    for _ in range(2):
        prepared = pipeline.prepare(frame)
        pipeline.finish(prepared, AudioWindow(samples=samples))
        for num_boxes in (1, 2, 3):
            pipeline.boxes.segment(prepared.box_embedding, _boxes_inside(size_hw, num_boxes))


def release_memory() -> None:
    """Gives the memory of dropped pipelines back to the system, that of the device too."""
    gc.collect()
    give_back_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _boxes_inside(size_hw: tuple[int, int], num_boxes: int) -> Float32Array:
    height, width = size_hw
    return np.tile(np.array([width / 4, height / 4, width / 2, height / 2], np.float32), (num_boxes, 1))


class Build:
    """A pipeline in the making: what its parts are built from, and what they share.

    Args:
        preset: What to build.
        device: Where the networks run.
        seed: Fixes random weights.
    """

    def __init__(self, *, preset: Preset, device: torch.device, seed: int) -> None:
        self.preset, self.device, self.seed = preset, device, seed

    @property
    def placement(self) -> Placement:
        """Precision and compilation of networks with published weights."""
        return Placement.choose(self.device, self.preset.precision, self.preset.compilation)

    @cached_property
    def micro(self) -> MicroParts:
        """The parts of `micro`, which share a tower."""
        from cs3_model.networks.micro.micro_parts import build_micro_parts

        with resources.as_file(PRESETS / "micro.safetensors") as shipped:
            return build_micro_parts(Path(self.preset.micro_weights or shipped), self.device)


def _debug_audio_visual(build: Build) -> Any:
    from cs3_model.networks.audio_visual import build_debug_audio_visual_segmenter

    return build_debug_audio_visual_segmenter(seed=build.seed, device=build.device)


def _debug_hands(build: Build) -> Any:
    from cs3_model.networks.hands23.detector import build_debug_hand_detector

    return build_debug_hand_detector(seed=build.seed, device=build.device)


def _debug_boxes(build: Build) -> Any:
    from cs3_model.networks.sam import build_debug_box_segmenter

    return build_debug_box_segmenter(seed=build.seed, device=build.device)


def _clipseg(build: Build) -> Any:
    from cs3_model.foundation import build_audio_visual

    return build_audio_visual(build.preset.audio_weights, build.placement)


def _micro_weak(build: Build) -> Any:
    from cs3_model.networks.micro.weak import load_weak

    if not build.preset.audio_weights:
        raise ValueError("audio_weights must name a file for the part micro-weak: python -m training.train writes it")
    micro = build.micro.audio_visual
    return load_weak(micro.networks, micro.tower, Path(build.preset.audio_weights))


def _clipseg_random_token(build: Build) -> Any:
    from cs3_model.foundation import build_random_token

    return build_random_token(build.placement, build.seed)


def _micro_random_token(build: Build) -> Any:
    from cs3_model.networks.micro.weak import build_random_token

    micro = build.micro.audio_visual
    return build_random_token(micro.networks, micro.tower, build.seed)


def _hands23(build: Build) -> Any:
    from cs3_model.foundation import build_hands

    return build_hands(build.placement, build.preset.hand_sides)


def _sam2(build: Build) -> Any:
    from cs3_model.foundation import build_boxes

    return build_boxes(sam2_size(build.preset.parts.boxes), build.placement)


def sam2_size(name: str) -> Sam2Size:
    """The size of one of `SAM2_NAMES`."""
    return cast("Sam2Size", name.removeprefix("sam2.1-"))


SAM2_NAMES = ("sam2.1-tiny", "sam2.1-small", "sam2.1-base-plus", "sam2.1-large")

PART_BUILDERS: dict[str, dict[str, Callable[[Build], Any]]] = {
    "audio_visual": {
        "debug": _debug_audio_visual,
        "micro": lambda build: build.micro.audio_visual,
        "micro-weak": _micro_weak,
        "micro-random-token": _micro_random_token,
        "clipseg": _clipseg,
        "clipseg-random-token": _clipseg_random_token,
    },
    "hands": {"debug": _debug_hands, "micro": lambda build: build.micro.hands, "hands23": _hands23},
    "boxes": {"debug": _debug_boxes, "micro": lambda build: build.micro.boxes} | dict.fromkeys(SAM2_NAMES, _sam2),
}
"""Implementations of each part by name."""
