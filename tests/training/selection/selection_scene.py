"""An event whose numbers are known by hand: two squares that collide, a third that does not, and a moving right half."""

from __future__ import annotations

import numpy as np

from cs3_model.moment.evidence import ReducedCandidates
from cs3_model.moment.motion import Motion
from cs3_model.types import Role
from training.selection.selection_events import SelectionEvent

SIDE = 128


def square(row: int, column: int, side: int) -> np.ndarray:
    """A mask of the grid."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[row : row + side, column : column + side] = True
    return mask


def moving(speed: float) -> Motion:
    """The right half moves to the right."""
    velocity = np.zeros((SIDE, SIDE, 2), np.float32)
    velocity[:, SIDE // 2 :, 0] = speed
    return Motion(velocity=velocity, explained=0.5, similarity=0.9)


def scene(*, in_view: bool = True) -> SelectionEvent:
    """In the left hand a square at rest, beside it one that is heard and moves, far away one in the right hand."""
    struck, striker, other = square(50, 44, 20), square(50, 64, 16), square(100, 4, 10)
    candidates = ReducedCandidates(
        masks=np.stack([struck, striker, other]),
        roles=(Role.LEFT_HAND, Role.AUDIO_VISUAL, Role.RIGHT_HAND),
        scores=np.array([0.9, 0.8, 0.7], np.float32),
        logits=np.linspace(-4, 4, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE),
    )
    true_masks = np.stack([struck, striker]) if in_view else np.zeros((0, SIDE, SIDE), bool)
    return SelectionEvent(candidates=candidates, before=moving(0.2), after=moving(0.4), true_masks=true_masks)
