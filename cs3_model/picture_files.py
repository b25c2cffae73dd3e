"""Pictures as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.files import write_whole


def write_picture(path: Path, image: npt.NDArray[np.uint8], options: Sequence[int] = ()) -> None:
    """Writes a picture that is there as a whole or not at all.

    Args:
        path: Where to; the ending says in which format.
        image: RGB uint8 [H, W, 3], or grey uint8 [H, W].
        options: OpenCV's for the format, such as ``(cv2.IMWRITE_PNG_COMPRESSION, 9)``.

    Raises:
        ValueError: if it cannot be written, with file and reason, and if OpenCV knows no format of that ending.
    """
    pixels = image if image.ndim == 2 else image[..., ::-1]
    try:
        done, data = cv2.imencode(path.suffix, np.ascontiguousarray(pixels), options)
    except cv2.error:
        done = False
    if not done:
        raise ValueError(f"{path} cannot be written: its ending must be that of a picture, for example .png")
    write_whole(path, data.data)
