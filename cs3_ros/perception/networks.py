"""From the node's parameters to networks that are loaded and warm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs3_model.pipeline import CollisionPipeline
from cs3_ros.perception.parameters import stream_config

if TYPE_CHECKING:
    from cs3_model.auto_preset import ChosenPreset
    from cs3_model.build import Preset


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedNetworks:
    """What configuring the node comes to."""

    chosen: ChosenPreset
    preset: Preset
    pipeline: CollisionPipeline
    device: str

    def values(self) -> dict[str, object]:
        """What runs, for the diagnostics."""
        return {
            "preset": self.chosen.title,
            "device": self.device,
            "models": ", ".join(self.pipeline.models),
            "trained": self.pipeline.trained,
        }


def load_networks(values: Mapping[str, Any]) -> LoadedNetworks:
    """Loads them and runs them once; raises whatever weights and devices fail with.

    Args:
        values: The node's parameters by name.
    """
    # PyTorch takes seconds to import: until here the node is on the graph already.
    from cs3_model.auto_preset import choose_preset
    from cs3_model.build import build_pipeline, load_preset, select_device, warm_up

    device = select_device(values["device"])
    chosen = choose_preset(values["preset"], device)
    preset = load_preset(chosen.name)
    config = stream_config(values, preset)
    pipeline = build_pipeline(preset, device=device)
    warm_up(pipeline, window_s=config.audio_pre_s + config.audio_post_s)
    return LoadedNetworks(chosen=chosen, preset=preset, pipeline=pipeline, device=str(device))
