"""Contact sheets of samples: the picture, its colliding objects outlined, and what happened in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.picture_files import write_picture
from training.simulation.dataset.storage import read_frame, read_ids, read_truth, sample_folder
from training.simulation.scenario.splits import split_named

_TILE = 208
_COLOURS = ((90, 255, 90), (60, 170, 255))


def tile(folder: Path) -> npt.NDArray[np.uint8]:
    """One sample as an RGB picture [_TILE + 16, _TILE, 3]."""
    truth, ids = read_truth(folder), read_ids(folder)
    picture = read_frame(folder, 1)
    hit = truth.collision
    for colour, identity in zip(_COLOURS, hit.ids if hit else (), strict=False):
        outline, _ = cv2.findContours((ids == identity).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outline, -1, colour, 2)
    if hit:
        x, y = (round(value) for value in hit.contact_xy)
        cv2.drawMarker(picture, (x, y), (255, 60, 60), cv2.MARKER_CROSS, 12, 2)
    small = cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
    caption = np.full((16, _TILE, 3), 255, np.uint8)
    text = truth.scenario + (": " + " + ".join(hit.materials) if hit else "")
    cv2.putText(
        caption, f"{text} ({truth.level})", (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (30, 30, 30), 1, cv2.LINE_AA
    )
    return np.concatenate([small, caption])


def sheet_of(tiles: Sequence[npt.NDArray[np.uint8]], columns: int) -> npt.NDArray[np.uint8]:
    """Lays pictures of one size out in rows; white fills the last one."""
    blank = np.full_like(tiles[0], 255)
    filled = [*tiles, *[blank] * (-len(tiles) % columns)]
    return np.concatenate(
        [np.concatenate(filled[start : start + columns], 1) for start in range(0, len(filled), columns)]
    )


def write_sheet(root: Path, split: str, picture: Path, count: int, *, pairs: bool = False) -> None:
    """Draws `count` samples of a split, spread over it; with `pairs` both samples of each scene.

    Raises:
        ValueError: if there is no such split, or it has too few samples.
    """
    split_named(split)
    scenes = count // 2 if pairs else count
    folders = [
        sample_folder(root, split, 2 * scene + variant) for scene in range(scenes) for variant in range(1 + pairs)
    ]
    if missing := [folder for folder in folders if not folder.exists()]:
        raise ValueError(f"{missing[0]} is missing: a sheet of {count} needs at least {2 * scenes} samples of {split}")
    sheet = sheet_of([tile(folder) for folder in folders], 6)
    options = []
    if picture.suffix == ".png":
        sheet, options = _with_few_colours(sheet), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    write_picture(picture, sheet, options)


def _with_few_colours(sheet: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Smooths sensor noise and rounds colours, so that a PNG stays small."""
    smooth = cv2.bilateralFilter(sheet, 3, 12, 3)
    return np.minimum(smooth // 5 * 5, 253) + np.uint8(2)
