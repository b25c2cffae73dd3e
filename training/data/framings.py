"""One recording in ten framings, so that a figure hangs less on decisions at the edge.

The candidates of a few recordings, the order of their scores and whether masks touch change with a row of pixels more or
less, and the score of one picture with them. Five crops that lose at most a twentieth of a side, each as it is and
mirrored, could as well have been recorded: their mean says more than one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from cs3_model.types import UInt8Image
from training.data.samples import Around, Hand, Sample, SceneObject

_CROPS = (
    (0.0, 0.0, 0.0, 0.0),
    (0.03, 0.03, 0.0, 0.0),
    (0.0, 0.0, 0.03, 0.03),
    (0.05, 0.0, 0.05, 0.0),
    (0.0, 0.05, 0.0, 0.05),
)
_Value = TypeVar("_Value", bound=np.generic)
_OTHER_HAND = {Hand.LEFT: Hand.RIGHT, Hand.RIGHT: Hand.LEFT}


@dataclass(frozen=True, kw_only=True, slots=True)
class Framing:
    """What becomes of pictures and masks."""

    top: float
    bottom: float
    left: float
    right: float
    """Shares of height and width that are cut off."""
    is_mirrored: bool

    def of(self, pixels: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        """Pixels [H, W, ...] in this framing, [h, w, ...]."""
        height, width = pixels.shape[:2]
        rows = slice(round(self.top * height), height - round(self.bottom * height))
        columns = slice(round(self.left * width), width - round(self.right * width))
        kept = pixels[rows, columns]
        return np.ascontiguousarray(kept[:, ::-1] if self.is_mirrored else kept)

    def image(self, load: Callable[[], UInt8Image]) -> UInt8Image:
        """The picture that is loaded, RGB uint8 [h, w, 3]."""
        return self.of(load())

    def around(self, load: Callable[[], Around]) -> Around:
        """The pictures before and after."""
        return load().changed(lambda frame: replace(frame, image=self.of(frame.image)))

    def objects(self, load: Callable[[], tuple[SceneObject, ...]]) -> tuple[SceneObject, ...]:
        """The truth; in a mirror the left hand is the right one."""
        return tuple(
            replace(
                item,
                mask=self.of(item.mask),
                alternatives=tuple(self.of(mask) for mask in item.alternatives),
                held_by=_OTHER_HAND.get(item.held_by, item.held_by) if self.is_mirrored else item.held_by,
            )
            for item in load()
        )


FRAMINGS = tuple(
    Framing(top=top, bottom=bottom, left=left, right=right, is_mirrored=is_mirrored)
    for top, bottom, left, right in _CROPS
    for is_mirrored in (False, True)
)
"""The first leaves all as it is."""


def in_framings(sample: Sample) -> list[Sample]:
    """The sample in each of `FRAMINGS`, with its own sound."""
    return [_framed(sample, framing, number) for number, framing in enumerate(FRAMINGS)]


def _framed(sample: Sample, framing: Framing, number: int) -> Sample:
    return replace(
        sample,
        sample_id=f"{sample.sample_id}#{number}",
        load_image=partial(framing.image, sample.load_image),
        load_image_at=None,
        load_around=sample.load_around and partial(framing.around, sample.load_around),
        load_objects=sample.load_objects and partial(framing.objects, sample.load_objects),
        hands=None,
        contact_xy=None,
        conditions=replace(sample.conditions, framing_of=sample.sample_id),
    )
