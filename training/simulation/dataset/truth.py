"""The truth about a simulated sample as values, and how its truth.json spells them (docs/world.md lists the keys)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.simulation.rendering.id_map import Box

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraTruth:
    """The pinhole camera of the pictures, without distortion."""

    width: int
    """Pixels."""
    height: int
    focal_px: float
    centre_xy: tuple[float, float]
    """Principal point in pixels, with pixel centres at whole numbers."""

    def to_json(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "height": self.height,
            "focal_px": self.focal_px,
            "centre_xy": self.centre_xy,
        }

    @classmethod
    def from_json(cls, content: Json) -> CameraTruth:
        return cls(
            width=content["width"],
            height=content["height"],
            focal_px=content["focal_px"],
            centre_xy=tuple(content["centre_xy"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TableTruth:
    """The table top."""

    material: str
    id: int
    """Its value in the id map."""
    area_px: int
    """Pixels in the id map."""

    def to_json(self) -> dict[str, Any]:
        return {"material": self.material, "id": self.id, "area_px": self.area_px}

    @classmethod
    def from_json(cls, content: Json) -> TableTruth:
        return cls(material=content["material"], id=content["id"], area_px=content["area_px"])


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectTruth:
    """One object of a sample."""

    id: int
    """Its value in the id map."""
    category: str
    """Class of the object, for instance ``mug``; "class" in the file."""
    material: str
    held_by: tuple[str, ...]
    """Which hands hold it: left, right, or both."""
    area_px: int
    """Pixels in the id map."""
    box_xyxy: Box | None
    """Tight box in the id map, maximum edges exclusive; None if it cannot be seen."""

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "class": self.category,
            "material": self.material,
            "held_by": self.held_by,
            "area_px": self.area_px,
            "box_xyxy": self.box_xyxy,
        }

    @classmethod
    def from_json(cls, content: Json) -> ObjectTruth:
        return cls(
            id=content["id"],
            category=content["class"],
            material=content["material"],
            held_by=tuple(content["held_by"]),
            area_px=content["area_px"],
            box_xyxy=_box(content["box_xyxy"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CollisionTruth:
    """What collides, where, when and how hard."""

    ids: tuple[int, ...]
    """One or two values of the id map, ascending; the table counts as an object."""
    materials: tuple[str, ...]
    """The distinct materials that collide, sorted."""
    time_s: float
    """First touch, on the clock of the sound."""
    impulse_ns: float
    """Exchanged momentum along the contact normal, newton seconds."""
    closing_speed_m_s: float
    contact_xy: tuple[float, float]
    """Pixels; may lie outside of the picture."""
    contact_xyz_m: tuple[float, float, float]
    """Place in the optical frame of the camera: x right, y down, z forward, metres."""
    occlusion: float
    """Hidden share of the object that is hidden most, in [0, 1]."""

    def to_json(self) -> dict[str, Any]:
        return {
            "ids": self.ids,
            "materials": self.materials,
            "time_s": self.time_s,
            "impulse_ns": self.impulse_ns,
            "closing_speed_m_s": self.closing_speed_m_s,
            "contact_xy": self.contact_xy,
            "contact_xyz_m": self.contact_xyz_m,
            "occlusion": self.occlusion,
        }

    @classmethod
    def from_json(cls, content: Json) -> CollisionTruth:
        return cls(
            ids=tuple(content["ids"]),
            materials=tuple(content["materials"]),
            time_s=content["time_s"],
            impulse_ns=content["impulse_ns"],
            closing_speed_m_s=content["closing_speed_m_s"],
            contact_xy=tuple(content["contact_xy"]),
            contact_xyz_m=tuple(content["contact_xyz_m"]),
            occlusion=content["occlusion"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class HandTruth:
    """One visible hand."""

    side: str
    """left or right."""
    box_xyxy: Box
    """Tight box of the hand without its arm, maximum edges exclusive."""
    object_id: int | None
    """Id of what it holds, if that can be seen; "object" in the file."""
    object_box_xyxy: Box | None
    """Tight box of the visible part of what it holds."""

    def to_json(self) -> dict[str, Any]:
        return {
            "side": self.side,
            "box_xyxy": self.box_xyxy,
            "object": self.object_id,
            "object_box_xyxy": self.object_box_xyxy,
        }

    @classmethod
    def from_json(cls, content: Json) -> HandTruth:
        x_min, y_min, x_max, y_max = content["box_xyxy"]
        return cls(
            side=content["side"],
            box_xyxy=(x_min, y_min, x_max, y_max),
            object_id=content["object"],
            object_box_xyxy=_box(content["object_box_xyxy"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundTruth:
    """What the sound of a sample is made of."""

    rate_hz: int
    snr_db: float | None
    """Level of the collision over the background; None where nothing collides."""
    rt60_s: float
    """Reverberation time of the room."""
    background: str
    """See `soundscape.BACKGROUNDS`."""
    off_screen_s: float | None
    """Time of an impact that is not in the picture, on the clock of the sound; None if there is none."""

    def to_json(self) -> dict[str, Any]:
        return {
            "rate_hz": self.rate_hz,
            "snr_db": self.snr_db,
            "rt60_s": self.rt60_s,
            "background": self.background,
            "off_screen_s": self.off_screen_s,
        }

    @classmethod
    def from_json(cls, content: Json) -> SoundTruth:
        return cls(
            rate_hz=content["rate_hz"],
            snr_db=content["snr_db"],
            rt60_s=content["rt60_s"],
            background=content["background"],
            off_screen_s=content["off_screen_s"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneTruth:
    """All that is known about one sample."""

    scenario: str
    """See `scenarios.SCENARIOS`."""
    level: str
    """See `difficulty.LEVELS`."""
    camera: CameraTruth
    frame_times_s: tuple[float, float, float]
    """Times of the pictures before, at and after the onset, on the clock of the sound."""
    onset_s: float
    """Onset on the clock of the sound, or when it would be if something collided in sight."""
    table: TableTruth
    objects: tuple[ObjectTruth, ...]
    collision: CollisionTruth | None
    """None if nothing collides in sight."""
    hands: tuple[HandTruth, ...]
    """The visible ones, left first."""
    other_collisions_s: tuple[float, ...]
    """Later touches of the same event, on the clock of the sound."""
    sound: SoundTruth
    data_set: str
    generator_version: int
    split: str
    index: int
    """Number of the sample in its split."""
    group: str
    """Common to the samples of one scene."""

    def to_json(self) -> dict[str, Any]:
        """Returns the content of truth.json, its keys in their order there."""
        return {
            "scenario": self.scenario,
            "level": self.level,
            "camera": self.camera.to_json(),
            "frame_times_s": self.frame_times_s,
            "onset_s": self.onset_s,
            "table": self.table.to_json(),
            "objects": [item.to_json() for item in self.objects],
            "collision": None if self.collision is None else self.collision.to_json(),
            "hands": [hand.to_json() for hand in self.hands],
            "other_collisions_s": self.other_collisions_s,
            "sound": self.sound.to_json(),
            "data_set": self.data_set,
            "generator_version": self.generator_version,
            "split": self.split,
            "index": self.index,
            "group": self.group,
        }

    @classmethod
    def from_json(cls, content: Json) -> SceneTruth:
        """Reads the content of truth.json.

        Raises:
            ValueError: if something is missing or of another kind.
        """
        try:
            before_s, at_s, after_s = content["frame_times_s"]
            collision = content["collision"]
            return cls(
                scenario=content["scenario"],
                level=content["level"],
                camera=CameraTruth.from_json(content["camera"]),
                frame_times_s=(before_s, at_s, after_s),
                onset_s=content["onset_s"],
                table=TableTruth.from_json(content["table"]),
                objects=tuple(ObjectTruth.from_json(item) for item in content["objects"]),
                collision=None if collision is None else CollisionTruth.from_json(collision),
                hands=tuple(HandTruth.from_json(hand) for hand in content["hands"]),
                other_collisions_s=tuple(content["other_collisions_s"]),
                sound=SoundTruth.from_json(content["sound"]),
                data_set=content["data_set"],
                generator_version=content["generator_version"],
                split=content["split"],
                index=content["index"],
                group=content["group"],
            )
        except KeyError as error:
            raise ValueError(f"it has no {error}") from error
        except TypeError as error:
            raise ValueError(str(error)) from error


def _box(content: Any) -> Box | None:
    if content is None:
        return None
    x_min, y_min, x_max, y_max = content
    return x_min, y_min, x_max, y_max
