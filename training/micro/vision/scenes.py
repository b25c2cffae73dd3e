"""Scenes of the simulated world on disk, and what is known about the objects in them.

Both samples of a scene show the same picture at the onset, so that a picture here is a scene with both of its events.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cs3_model.networks.micro.vocabulary import CLASSES, MATERIALS
from training.data.samples import SampleError
from training.simulation.dataset.storage import read_truth

AT_ONSET = 1
"""Index of the frame that belongs to the ids; the others may be absent."""
MAX_OBJECTS = 30
"""Objects of a scene; ids are 1 to this."""


class Objects(NamedTuple):
    """What is known about the objects of one scene; row k is the object with the id k, row 0 is none."""

    material: np.ndarray
    """Index in `MATERIALS`, or -1, int64 [1 + MAX_OBJECTS]."""
    category: np.ndarray
    """Index in `CLASSES`, or -1."""
    held: np.ndarray
    """By the left and by the right hand, bool [1 + MAX_OBJECTS, 2]."""
    struck: np.ndarray
    """By either event of the scene, bool."""


def scenes_to_learn_from(data: Sequence[Path]) -> tuple[list[Path], dict[str, str | int]]:
    """The scenes of the split train of data sets, one data set after the other, and what a checkpoint says about them.

    Raises:
        ValueError: if a data set has none.
    """
    scenes = [scene for root in data for scene in list_scenes(root, "train")]
    folders = ", ".join(str(root.resolve()) for root in data)
    return scenes, {"data": folders, "split": "train", "number of scenes": len(scenes)}


def list_scenes(root: Path, split: str) -> list[Path]:
    """The folders of the first sample of every scene that is complete, sorted.

    Raises:
        ValueError: if there are none.
    """
    folders = sorted(path for path in (root / split).glob("[0-9]*/[0-9]*[02468]") if twin_of(path).is_dir())
    if not folders:
        raise ValueError(f"{root / split} has no scenes: python -m training.simulation make {root} --splits {split}")
    return folders


def twin_of(folder: Path) -> Path:
    """The folder of the second sample of a scene."""
    return folder.with_name(f"{int(folder.name) + 1:06d}")


def read_objects(folder: Path) -> Objects:
    """Reads what is known about a scene.

    Raises:
        SampleError: if a file is missing or broken.
    """
    try:
        truth = read_truth(folder)
        collisions = (truth.collision, read_truth(twin_of(folder)).collision)
        struck = {number for hit in collisions if hit is not None for number in hit.ids}
        material, category = (np.full(1 + MAX_OBJECTS, -1) for _ in range(2))
        held, is_struck = np.zeros((1 + MAX_OBJECTS, 2), bool), np.zeros(1 + MAX_OBJECTS, bool)
        for item in truth.objects:
            material[item.id] = MATERIALS.index(item.material)
            category[item.id] = CLASSES.index(item.category)
            held[item.id] = [side in item.held_by for side in ("left", "right")]
            is_struck[item.id] = item.id in struck
    except (ValueError, IndexError) as error:
        raise SampleError(f"{folder}: {error}") from error
    return Objects(material, category, held, is_struck)
