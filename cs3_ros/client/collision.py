"""A collision as a program wants it: NumPy arrays, plain numbers, and a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from cs3_msgs.msg import Collision as CollisionMsg

from cs3_model.overlay import draw_overlay
from cs3_model.types import (
    BoolMask,
    BoxXYXY,
    Candidate,
    CollisionResult,
    Reason,
    Role,
    UInt8Image,
    Verdict,
)
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns

_ROLE_NAMES = {
    Role.LEFT_HAND: "held left",
    Role.RIGHT_HAND: "held right",
    Role.AUDIO_VISUAL: "heard",
    Role.TOUCHED: "touched",
    Role.MOVED: "moving",
}
ROLES = tuple(_ROLE_NAMES.values())
"""The words of `CollidingObject.roles`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CollidingObject:
    """One object that took part, or a candidate that was rejected. Arrays cannot be written."""

    roles: tuple[str, ...]
    """How it was found, one or more of `ROLES`: held in a hand, pointed at by the sound, or moving by itself
    around the onset."""
    mask: BoolMask
    """bool [H, W], the size of the source image."""
    box_xyxy: BoxXYXY
    """Tight box of the mask: x_min, y_min, x_max, y_max, pixels, maximum edges exclusive."""
    score: float
    """Confidence of the part that proposed it, 0 to 1."""
    reason: str
    """Why it was accepted or rejected."""
    contact_xy: tuple[float, float] | None
    """Pixel of this object nearest to the other one; None unless two objects collided."""
    image_crop: UInt8Image | None
    """The source image inside the box, RGB uint8 [h, w, 3]; None where the client has no image."""

    @property
    def mask_crop(self) -> BoolMask:
        """The mask inside the box, bool [h, w]: the same pixels as `image_crop`."""
        return self.mask[_inside(self.box_xyxy)]

    def describe(self) -> str:
        """The object in words, for instance "the object held right, heard (box 40,16 to 56,32, score 0.90)"."""
        x_min, y_min, x_max, y_max = (f"{edge:.0f}" for edge in self.box_xyxy)
        names = ", ".join(self.roles)
        return f"the object {names} (box {x_min},{y_min} to {x_max},{y_max}, score {self.score:.2f})"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Collision:
    """What became of one collision sound. Times are those of the message headers."""

    onset_ns: int
    """Time of the sound's onset, nanoseconds."""
    onset_strength_db: float
    """How far the onset rises above the sound before it, dB; 0 for an answer of `CollisionClient.segment`."""
    stamp_ns: int
    """Time of the image that was used, nanoseconds; the onset where there was none."""
    frame_id: str
    """Coordinate frame of the camera; empty where there was no image."""
    verdict: Verdict
    """No object, one or two."""
    reason: str
    """Fixed word for programs, listed in docs/topics.md."""
    detail: str
    """The same as a sentence."""
    confidence: float | None
    """Calibrated probability that the answer is right, in [0, 1]; None where the preset cannot say."""
    objects: tuple[CollidingObject, ...]
    """The objects that collided, as many as the verdict says."""
    rejected: tuple[CollidingObject, ...]
    """The other candidates."""
    image: UInt8Image | None
    """The source image, RGB uint8 [H, W, 3]; None where the client has none."""
    stage_s: dict[str, float]
    """Time spent in each stage, seconds."""
    latency_s: float
    """From the arrival of the last audio that was needed to the publication, seconds."""
    preset: str
    """Preset of the node."""
    models: tuple[str, ...]
    """Identity of each network."""
    trained: bool
    """False where a network has random weights: then the masks mean nothing."""

    @property
    def onset_s(self) -> float:
        """Time of the onset, seconds; `onset_ns` is exact."""
        return self.onset_ns / NS_PER_S

    def with_role(self, role: str) -> CollidingObject | None:
        """The colliding object of that role, None where there is none.

        Raises:
            ValueError: if the role is none of `ROLES`.
        """
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {role!r}")
        return next((found for found in self.objects if role in found.roles), None)

    def describe(self) -> str:
        """One sentence for people and language models: what, where, and whether to believe it."""
        if self.verdict is Verdict.NONE:
            what = f"a collision was heard but no object was segmented ({self.reason}: {self.detail})"
        elif self.verdict is Verdict.ONE_OBJECT:
            what = f"one object made a collision sound: {self.objects[0].describe()}"
        else:
            what = f"two objects collided: {' and '.join(found.describe() for found in self.objects)}"
        if contacts := [found.contact_xy for found in self.objects if found.contact_xy is not None]:
            x, y = (sum(values) / len(contacts) for values in zip(*contacts, strict=True))
            what += f", nearest to each other at {x:.0f},{y:.0f}"
        if self.confidence is not None:
            what += f"; this is right with a probability of {self.confidence:.2f}"
        doubt = "" if self.trained else "; the networks are not trained, so masks and boxes mean nothing"
        return f"At {self.onset_s:.3f} s {what}{doubt}."

    def draw(self) -> UInt8Image | None:
        """The image with masks, contact points and the boxes of rejected candidates drawn in, under a bar that says the
        verdict: RGB uint8 [H + bar, W, 3]. None where the client has no image."""
        if self.image is None:
            return None
        result = CollisionResult(
            verdict=self.verdict,
            reason=Reason(self.reason),
            detail=self.detail,
            masks=tuple(_candidate_of(found) for found in self.objects),
            rejected=tuple(_candidate_of(found) for found in self.rejected),
        )
        return draw_overlay(self.image, result, trained=self.trained)


def collision_of(msg: CollisionMsg, image: UInt8Image | None = None) -> Collision:
    """Returns the collision that a message carries.

    Args:
        msg: The message.
        image: The source image, RGB uint8 [H, W, 3], where it is known.

    Raises:
        ValueError: if the message is malformed or the image has another size than the masks.
    """
    result = collision_from_msg(msg)
    image = None if image is None else _read_only(image)
    return Collision(
        onset_ns=stamp_to_ns(msg.onset),
        onset_strength_db=msg.onset_strength,
        stamp_ns=stamp_to_ns(msg.header.stamp),
        frame_id=msg.header.frame_id,
        verdict=result.verdict,
        reason=result.reason,
        detail=result.detail,
        confidence=None if math.isnan(result.confidence) else result.confidence,
        objects=tuple(_object_of(candidate, image) for candidate in result.masks),
        rejected=tuple(_object_of(candidate, image) for candidate in result.rejected),
        image=image,
        stage_s=result.stage_s,
        latency_s=1e-3 * msg.latency_ms,
        preset=msg.preset,
        models=tuple(msg.models),
        trained=msg.trained,
    )


def _object_of(candidate: Candidate, image: UInt8Image | None) -> CollidingObject:
    if image is not None and image.shape[:2] != candidate.mask.shape:
        raise ValueError(f"the image has the size {image.shape[:2]}, its mask {candidate.mask.shape}")
    return CollidingObject(
        roles=tuple(name for flag, name in _ROLE_NAMES.items() if flag in candidate.role),
        mask=_read_only(candidate.mask),
        box_xyxy=candidate.box_xyxy,
        score=candidate.score,
        reason=candidate.reason,
        contact_xy=candidate.contact_xy,
        image_crop=None if image is None else image[_inside(candidate.box_xyxy)],
    )


def _candidate_of(found: CollidingObject) -> Candidate:
    role = Role(0)
    for flag, name in _ROLE_NAMES.items():
        if name in found.roles:
            role |= flag
    return Candidate(
        role=role,
        mask=found.mask,
        box_xyxy=found.box_xyxy,
        score=found.score,
        reason=found.reason,
        contact_xy=found.contact_xy,
    )


def _read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written: all listeners share it."""
    view = array.view()
    view.flags.writeable = False
    return view


def _inside(box_xyxy: BoxXYXY) -> tuple[slice, slice]:
    x_min, y_min, x_max, y_max = (round(edge) for edge in box_xyxy)
    return slice(y_min, y_max), slice(x_min, x_max)
