"""The levels of difficulty: how many objects, how far the camera, how alike the looks, how loud the background."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """What makes a scene easy or hard to see and hear.

    Raises:
        ValueError: if a range is empty.
    """

    num_objects: tuple[int, int]
    """Fewest and most objects on the table and in the hands."""
    camera_distance_m: tuple[float, float]
    """Distance from the camera to the place of action, metres."""
    ambiguity: float
    """Probability that an object wears a finish that several materials share."""
    snr_db: tuple[float, float]
    """Level of the collision over the background sound."""
    camera_down_rad: tuple[float, float] = (0.70, 0.98)
    """How far the camera looks down from the horizontal."""
    gripper_share: float = 0.0
    """Share of scenes in which a robot acts, with grippers for hands."""

    def __post_init__(self) -> None:
        for name in ("num_objects", "camera_distance_m", "snr_db", "camera_down_rad"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"Level.{name} must be (low, high) with low <= high, got ({low}, {high})")


LEVELS = {
    "easy": Level(num_objects=(10, 13), camera_distance_m=(0.52, 0.64), ambiguity=0.0, snr_db=(15.0, 30.0)),
    "medium": Level(num_objects=(12, 18), camera_distance_m=(0.58, 0.73), ambiguity=0.1, snr_db=(5.0, 25.0)),
    "hard": Level(num_objects=(17, 25), camera_distance_m=(0.66, 0.84), ambiguity=0.5, snr_db=(-5.0, 12.0)),
    "outside": Level(
        num_objects=(6, 20), camera_distance_m=(0.45, 1.05), ambiguity=0.5, snr_db=(-5.0, 25.0),
        camera_down_rad=(0.45, 1.35), gripper_share=0.35,
    ),
}  # fmt: skip
"""Difficulty by name; a data set mixes those of `SHARES`. *Outside* is to learn from: other cameras, and robots."""

SHARES = {"easy": 0.35, "medium": 0.45, "hard": 0.2}
"""Share of each level in a mixed data set."""
