"""A sheet of filmed pictures, with outlines of what hands hold, to look at.

python -m training.micro.vision.filmed_sheet data/sim_cs3 filmed.jpg
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from cs3_model.command_errors import one_line_errors
from cs3_model.picture_files import write_picture
from cs3_model.types import UInt8Image
from training.micro.vision.filming import filmed
from training.micro.vision.scenes import AT_ONSET, list_scenes, read_objects
from training.simulation.dataset.contact_sheet import sheet_of
from training.simulation.dataset.storage import read_frame, read_ids

_LEFT_RGB, _RIGHT_RGB = (230, 40, 40), (40, 200, 40)


def main(
    data: Annotated[Path, typer.Argument(help="Folder of the simulated world.")],
    out: Annotated[Path, typer.Argument(help="The sheet, .jpg or .png.")],
    split: Annotated[str, typer.Option(help="Its scenes.")] = "val",
    rows: Annotated[int, typer.Option(min=1)] = 5,
    columns: Annotated[int, typer.Option(min=1)] = 8,
    side: Annotated[int, typer.Option(min=32, help="Pixels of each picture, even.")] = 224,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Draw views of different scenes; what the left hand holds is outlined in red, the right one's in green."""
    with one_line_errors(status=1, kinds=(ValueError, OSError)):
        rng = np.random.default_rng(seed)
        scenes = list_scenes(data, split)
        chosen = rng.choice(len(scenes), rows * columns, replace=len(scenes) < rows * columns)
        write_picture(out, sheet_of([_tile(rng, scenes[number], side) for number in chosen], columns))


def _tile(rng: np.random.Generator, folder: Path, side: int) -> UInt8Image:
    """One view of a scene, RGB [side, side, 3]."""
    image, ids, objects = filmed(rng, read_frame(folder, AT_ONSET), read_ids(folder), read_objects(folder), side)
    tile = image.copy()
    for hand, colour in enumerate((_LEFT_RGB, _RIGHT_RGB)):
        held = np.isin(ids, np.flatnonzero(objects.held[:, hand])).astype(np.uint8)
        outlines, _ = cv2.findContours(held, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, outlines, -1, colour, 1)
    return tile


if __name__ == "__main__":
    typer.run(main)
