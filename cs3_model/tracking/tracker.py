"""What it means to follow objects: masks in one image, then the same objects in one image after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.types import BoolMask, BoxXYXY, UInt8Image


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FollowedObject:
    """Where one object is in one image."""

    mask: BoolMask
    """bool [H, W], the size of the image; empty where the object is lost."""
    box_xyxy: BoxXYXY
    """Tight box of the mask, pixels; zeros where the object is lost."""
    score: float
    """Confidence in [0, 1] that it is there."""

    @property
    def visible(self) -> bool:
        """Whether the object is seen; False while it is lost."""
        return self.box_xyxy[2] > self.box_xyxy[0]

    @classmethod
    def seen(cls, mask: BoolMask, score: float) -> FollowedObject:
        """An object with its mask, bool [H, W]; an empty mask is a lost object."""
        return cls(mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=score)

    @classmethod
    def lost(cls, size_hw: tuple[int, int], score: float) -> FollowedObject:
        """An object that is not there, or not recognised."""
        return cls(mask=np.zeros(size_hw, np.bool_), box_xyxy=(0.0, 0.0, 0.0, 0.0), score=score)


class Track(Protocol):
    """Some objects that are being followed. What it remembers does not grow with the images. Used by one thread."""

    def step(self, image: UInt8Image) -> tuple[FollowedObject, ...]:
        """Finds the objects in the next image, RGB uint8 [H, W, 3], of the first image's size; in the first's order."""


class Tracker(Protocol):
    """Begins tracks: SAM 2's memory in `foundation`, the mask head and optical flow in `micro`."""

    name: str
    """Identity of networks and weights."""
    trained: bool
    """False for random weights, whose output means nothing."""

    def start(self, image: UInt8Image, masks: Sequence[BoolMask]) -> Track:
        """Takes up objects from their masks, each bool [H, W] and not empty, in an RGB uint8 image [H, W, 3]."""
