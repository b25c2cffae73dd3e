"""Pictures of the simulated world with dense truth, as other cameras film them, in batches for the vision stage.

PictureBatch number `step` is fixed by the seed and the step alone: a run that was interrupted goes on as if it had
not been.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.micro.vision.filming import filmed
from training.micro.vision.scenes import AT_ONSET, Objects, read_objects
from training.simulation.dataset.storage import read_frame, read_ids

MIN_AREA_PX = 20
"""Smaller objects are not asked for."""
_PLAIN_SHARE = 0.25
"""Of the pictures that are learned from: as they are, so that the world's own are not forgotten."""

Picture = tuple[np.ndarray, np.ndarray, Objects]
"""RGB uint8 [S, S, 3], ids uint8 [S, S], and what is known about the objects."""


class PictureBatch(NamedTuple):
    """One batch, N pictures of side S."""

    images: Tensor
    """RGB, float32 [N, 3, S, S] in [0, 1]."""
    ids: Tensor
    """Which object is seen, uint8 [N, S, S]."""
    material: Tensor
    """As in `Objects`, with a first axis N."""
    category: Tensor
    held: Tensor
    struck: Tensor
    boxes: Tensor
    """The tight box of all that is seen of each id, see `boxes_of_ids`, float32 [N, 256, 4]."""


def resized(image: np.ndarray, ids: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Squashes a picture and its ids to a square."""
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return small, cv2.resize(ids, (side, side), interpolation=cv2.INTER_NEAREST)


class PictureBatches(Dataset[PictureBatch]):
    """PictureBatch `step` of an endless, fixed sequence.

    Args:
        folders: of `list_scenes`.
        side: rows and columns of the pictures.
        batch_size: N.
        seed: fixes the sequence.
    """

    def __init__(self, folders: list[Path], *, side: int, batch_size: int, seed: int) -> None:
        self._folders, self._side, self._batch_size, self._seed = folders, side, batch_size, seed

    def __getitem__(self, step: int) -> PictureBatch:
        rng = np.random.default_rng([self._seed, step])
        chosen = rng.choice(len(self._folders), self._batch_size, replace=len(self._folders) < self._batch_size)
        folders = [self._folders[number] for number in chosen]
        plain = rng.random(len(folders)) < _PLAIN_SHARE
        return collate(
            [
                plain_picture(folder, self._side) if as_it_is else filmed_picture(rng, folder, self._side)
                for folder, as_it_is in zip(folders, plain, strict=True)
            ]
        )


def filmed_picture(rng: np.random.Generator, folder: Path, side: int) -> Picture:
    """One drawn view of a scene, see `filming`."""
    return filmed(rng, read_frame(folder, AT_ONSET), read_ids(folder), read_objects(folder), side)


def plain_picture(folder: Path, side: int) -> Picture:
    """A scene as it is."""
    return *resized(read_frame(folder, AT_ONSET), read_ids(folder), side), read_objects(folder)


def filmed_batch(rng: np.random.Generator, folders: Sequence[Path], side: int) -> PictureBatch:
    """One drawn view of each of these scenes."""
    return collate([filmed_picture(rng, folder, side) for folder in folders])


def plain_batch(folders: Sequence[Path], side: int) -> PictureBatch:
    """These scenes as they are."""
    return collate([plain_picture(folder, side) for folder in folders])


def collate(items: Sequence[Picture]) -> PictureBatch:
    """Stacks pictures, ids and objects."""
    images = torch.from_numpy(np.stack([image for image, _, _ in items])).permute(0, 3, 1, 2) / 255.0
    ids = torch.from_numpy(np.stack([ids for _, ids, _ in items]))
    columns = zip(*(objects for _, _, objects in items), strict=True)
    material, category, held, struck = (torch.from_numpy(np.stack(column)) for column in columns)
    images = images.contiguous(memory_format=torch.channels_last)
    return PictureBatch(images, ids, material, category, held, struck, boxes_of_ids(ids))


def boxes_of_ids(ids: Tensor) -> Tensor:
    """The tight box of all that is seen of each id, maximum edges exclusive, float32 [N, 256, 4], for ids [N, S, S].

    Of ids that are not seen the edges are the wrong way round.
    """
    num_images, height, width = ids.shape
    cells = (ids.flatten(1).long() + 256 * torch.arange(num_images)[:, None]).flatten()
    grids = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    ys, xs = (grid.repeat(num_images, 1, 1).flatten().float() for grid in grids)
    edges = []
    for values, size in ((xs, width), (ys, height)):
        lowest = torch.full((256 * num_images,), float(size)).scatter_reduce(0, cells, values, "amin")
        highest = torch.zeros(256 * num_images).scatter_reduce(0, cells, values + 1, "amax")
        edges += [lowest, highest]
    x_min, x_max, y_min, y_max = edges
    return torch.stack([x_min, y_min, x_max, y_max], 1).view(num_images, 256, 4)
