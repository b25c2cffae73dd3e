"""What a clip of the simulated world says about itself: the part of its truth.json that a bag holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DATA_SET = "sim_cs3_clips"


@dataclass(frozen=True, kw_only=True, slots=True)
class PinholeCamera:
    """A camera without distortion."""

    focal_px: float
    centre_xy: tuple[float, float]
    """Principal point, pixels."""
    size_hw: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedImpact:
    """One collision of a clip."""

    time_s: float
    """Since the beginning of the clip, seconds."""
    frame: int
    """Number of the image that the masks belong to."""
    ids: tuple[int, ...]
    """Values of the two objects in the map of ids."""
    side_of: Mapping[int, str]
    """Which hand holds an object, left or right, by the object's value."""
    impulse_ns: float
    """Newton seconds."""
    contact_xy: tuple[float, float]
    """Where they touch, pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedClip:
    """One clip."""

    fps: float
    num_frames: int
    camera: PinholeCamera
    names: Mapping[int, str]
    """Material and kind of each object, by its value in the maps of ids."""
    impacts: tuple[SimulatedImpact, ...]
    off_screen_s: tuple[float, ...]
    """When something is struck that is not in the picture, seconds since the beginning of the clip."""


def read_simulated_clip(folder: Path) -> SimulatedClip:
    """Reads the truth of a clip.

    Args:
        folder: What ``python -m training.simulation clip`` has written.

    Raises:
        ValueError: if it is no such folder.
    """
    try:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        if truth.get("data_set") != _DATA_SET:
            raise ValueError(f"data_set is {truth.get('data_set')!r}")
        return _clip(truth)
    except (OSError, ValueError, KeyError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{folder} is no clip of the simulated world ({reason}): python -m training.simulation clip"
        ) from error


def _clip(truth: Mapping[str, Any]) -> SimulatedClip:
    camera, table = truth["camera"], truth["table"]
    x, y = camera["centre_xy"]
    return SimulatedClip(
        fps=truth["fps"],
        num_frames=truth["num_frames"],
        camera=PinholeCamera(
            focal_px=camera["focal_px"], centre_xy=(x, y), size_hw=(camera["height"], camera["width"])
        ),
        names={
            **{item["id"]: f"{item['material']} {item['class']}" for item in truth["objects"]},
            table["id"]: f"{table['material']} table",
        },
        impacts=tuple(map(_impact, truth["collisions"])),
        off_screen_s=tuple(truth["sound"].get("off_screen_s", ())),  # older clips do not say
    )


def _impact(collision: Mapping[str, Any]) -> SimulatedImpact:
    x, y = collision["contact_xy"]
    return SimulatedImpact(
        time_s=collision["time_s"],
        frame=collision["frame"],
        ids=tuple(collision["ids"]),
        side_of={hand["object"]: hand["side"] for hand in collision["hands"]},
        impulse_ns=collision["impulse_ns"],
        contact_xy=(x, y),
    )
