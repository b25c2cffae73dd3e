"""Events as other lenses would show them: closer, and in wider pictures.

The simulated head camera shows square pictures in which nothing is large. Outside, pictures are 4:3 or 16:9 and what
collides often fills half of them; areas, distances and speeds, which are all that the selection sees, change with that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.moment.motion import Motion
from cs3_model.types import Float32Array
from training.selection.selection_events import SelectionEvent

_ASPECTS = (1.0, 4 / 3, 16 / 9)
_CLOSEST = 3.0
_LEAST_KEPT = 0.7
"""Share of each true object that must stay in the picture."""
_LEAST_PX = 12
"""Area that a candidate must keep, cells of the grid, to be one."""
_TRIES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop:
    """A part of the grid, which becomes the whole picture; the width stays that of the grid."""

    left: float
    top: float
    zoom: float
    """How many times larger everything looks."""
    size_hw: tuple[int, int]
    """The new grid."""
    mirrored: bool = False

    def field(self, values: Float32Array) -> Float32Array:
        """Values [h, w] or [h, w, 2] on the new grid, interpolated."""
        return np.asarray(self._warp(values, cv2.INTER_LINEAR), np.float32)

    def masks(self, masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Masks [K, h, w] on the new grid."""
        warped = [self._warp(mask.astype(np.float32), cv2.INTER_LINEAR) >= 0.5 for mask in masks]
        return np.stack(warped) if warped else np.zeros((0, *self.size_hw), bool)

    def motion(self, motion: Motion | None) -> Motion | None:
        """What is closer moves faster; in a mirror, the other way round."""
        if motion is None:
            return None
        velocity = self.field(motion.velocity) * np.float32(self.zoom)
        if self.mirrored:
            velocity = velocity * np.array([-1, 1], np.float32)
        return replace(motion, velocity=velocity)

    def _warp(self, values: npt.NDArray[np.float32], interpolation: int) -> npt.NDArray[np.float32]:
        matrix = np.array([[self.zoom, 0, -self.zoom * self.left], [0, self.zoom, -self.zoom * self.top]], np.float32)
        warped = cv2.warpAffine(
            np.ascontiguousarray(values), matrix, self.size_hw[::-1], flags=interpolation,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(warped[:, ::-1] if self.mirrored else warped, np.float32)


def reframed(event: SelectionEvent, rng: np.random.Generator) -> SelectionEvent:
    """The event in a crop around what collided, or anywhere if nothing in view did; as it is if no crop keeps that."""
    for _ in range(_TRIES):
        crop = draw_crop(event, rng)
        true_masks = crop.masks(event.true_masks)
        before = event.true_masks.sum(axis=(1, 2)) * crop.zoom**2
        if (true_masks.sum(axis=(1, 2)) >= _LEAST_KEPT * before).all():
            return _cropped(event, crop, true_masks)
    return event


def draw_crop(event: SelectionEvent, rng: np.random.Generator) -> Crop:
    """A crop of random size and shape whose middle lies near what collided."""
    height, width = event.candidates.logits.shape
    zoom = float(np.exp(rng.uniform(0.0, np.log(_CLOSEST))))
    aspect = float(rng.choice(_ASPECTS))
    size_hw = round(width / aspect), width
    wide, high = width / zoom, size_hw[0] / zoom
    struck = np.argwhere(event.true_masks.any(axis=0)) if len(event.true_masks) else np.zeros((0, 2))
    middle = struck.mean(axis=0) if len(struck) else rng.uniform((0, 0), (height, width))
    middle = middle + rng.uniform(-0.35, 0.35, 2) * (high, wide)
    return Crop(
        left=float(np.clip(middle[1] - wide / 2, 0, max(0.0, width - wide))),
        top=float(np.clip(middle[0] - high / 2, 0, max(0.0, height - high))),
        zoom=zoom,
        size_hw=size_hw,
        mirrored=bool(rng.random() < 0.5),
    )


def _cropped(event: SelectionEvent, crop: Crop, true_masks: npt.NDArray[np.bool_]) -> SelectionEvent:
    found = event.candidates
    masks = crop.masks(found.masks)
    kept = np.flatnonzero(masks.sum(axis=(1, 2)) >= _LEAST_PX)
    candidates = replace(
        found,
        masks=masks[kept],
        roles=tuple(found.roles[index] for index in kept),
        scores=found.scores[kept],
        logits=crop.field(found.logits),
    )
    before, after = crop.motion(event.before), crop.motion(event.after)
    return replace(event, candidates=candidates, before=before, after=after, true_masks=true_masks)
