"""The truth about a clip as values, and how its truth.json spells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.simulation.dataset.truth import CameraTruth, CollisionTruth, HandTruth


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipObject:
    """One object of a clip."""

    id: int
    """Its value in the id maps."""
    category: str
    """Class of the object; "class" in the file."""
    material: str

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "class": self.category, "material": self.material}


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipCollision:
    """One collision of a clip, labelled in the frame nearest to it."""

    frame: int
    """Number of that frame."""
    collision: CollisionTruth
    hands: tuple[HandTruth, ...]
    """The hands that this frame shows, left first."""

    def to_json(self) -> dict[str, Any]:
        return {
            "frame": self.frame,
            **self.collision.to_json(),
            "hands": [hand.to_json() for hand in self.hands],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSound:
    """What the sound of a clip is made of."""

    rate_hz: int
    snr_db: float
    """Level of the median collision over the background."""
    rt60_s: float
    """Reverberation time of the room."""
    background: str
    """See `soundscape.BACKGROUNDS`."""
    off_screen_s: tuple[float, ...] = ()
    """When something is struck that is not in the picture, ascending."""

    def to_json(self) -> dict[str, Any]:
        return {
            "rate_hz": self.rate_hz,
            "snr_db": self.snr_db,
            "rt60_s": self.rt60_s,
            "background": self.background,
            "off_screen_s": self.off_screen_s,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipTruth:
    """All that is known about one clip."""

    data_set: str
    generator_version: int
    seed: int
    level: str
    """See `difficulty.LEVELS`."""
    fps: float
    num_frames: int
    camera: CameraTruth
    table_material: str
    table_id: int
    """Value of the table in the id maps."""
    objects: tuple[ClipObject, ...]
    collisions: tuple[ClipCollision, ...]
    """All collisions within the clip, in order of time."""
    sound: ClipSound

    def to_json(self) -> dict[str, Any]:
        """Returns the content of truth.json, its keys in their order there."""
        return {
            "data_set": self.data_set,
            "generator_version": self.generator_version,
            "seed": self.seed,
            "level": self.level,
            "fps": self.fps,
            "num_frames": self.num_frames,
            "camera": self.camera.to_json(),
            "table": {"material": self.table_material, "id": self.table_id},
            "objects": [item.to_json() for item in self.objects],
            "collisions": [collision.to_json() for collision in self.collisions],
            "sound": self.sound.to_json(),
        }
