"""How bags are evaluated."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cs3_model.auto_preset import choose_preset
from cs3_model.build import select_device
from cs3_model.preset_files import AUTO
from cs3_ros.default_parameters import default_values

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """How bags are evaluated; all of it decides the results.

    Raises:
        ValueError: if a value is out of its range.
    """

    values: Mapping[str, Any] = field(default_factory=default_values)
    """Values of the node's parameters, among them its preset; `auto` becomes the preset that it means here."""
    ground_truth: str = ""
    """Topic or file with the true collisions; empty: none."""
    audio_topic: str = ""
    """Topic of the sound; empty finds it by its type."""
    image_topic: str = ""
    """Topic of the images; empty finds it by its type."""
    live: bool = False
    """Replay through the real node in real time."""
    rate: float = 1.0
    """Speed of a live replay."""
    correct_offset: bool = False
    """Shift the sound by the estimated offset between the clocks of sound and images, and by its drift if it matters."""
    video: bool = True
    """Write overlay.mp4, which decodes all images."""
    rerun: bool = False
    """Write recording.rrd for Rerun, which decodes all images."""

    def __post_init__(self) -> None:
        if not 0.1 <= self.rate <= 10.0:
            raise ValueError(f"rate must be 0.1 to 10, got {self.rate}")
        if self.values["preset"] == AUTO:
            chosen = choose_preset(AUTO, select_device(self.values["device"]))
            logger.info("preset %s", chosen.title)
            object.__setattr__(self, "values", {**self.values, "preset": chosen.name})
