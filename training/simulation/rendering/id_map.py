"""The map of object ids of a picture: its values, and the boxes of its masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TABLE_ID, LEFT_HAND_ID, RIGHT_HAND_ID = 250, 251, 252
"""Values of the id map for the table top and the hands with their arms. 0 is everything else, k + 1 is object k."""

IdMap = npt.NDArray[np.uint8]
"""[H, W]."""
Box = tuple[int, int, int, int]
"""x_min, y_min, x_max, y_max in pixels, maximum edges exclusive."""


def box_of(mask: npt.NDArray[np.bool_]) -> Box | None:
    """Tight box of a mask, maximum edges exclusive; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
