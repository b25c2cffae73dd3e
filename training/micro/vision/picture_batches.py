"""Pictures of the simulated world with dense truth, augmented, as batches for the vision stage.

Both samples of a scene show the same picture before the onset, so that a picture here is a scene with both of its
events. PictureBatch number `step` is fixed by the seed and the step alone: a run that was interrupted goes on as if it had
not been.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cs3_model.networks.micro.vocabulary import CLASSES, MATERIALS
from training.data.samples import SampleError
from training.simulation.dataset.storage import FRAME_NAMES, read_ids, read_truth
from training.simulation.rendering.id_map import LEFT_HAND_ID, RIGHT_HAND_ID

MAX_OBJECTS = 30
"""Objects of a scene; ids are 1 to this."""
MIN_AREA_PX = 20
"""Smaller objects are not asked for."""


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


def read_picture(folder: Path) -> np.ndarray:
    """Reads the picture at the onset, RGB uint8 [H, W, 3].

    Raises:
        SampleError: if it is missing or broken.
    """
    image = cv2.imread(str(folder / FRAME_NAMES[1]))
    if image is None:
        raise SampleError(f"{folder / FRAME_NAMES[1]} is missing or no JPEG: generate the sample again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def resized(image: np.ndarray, ids: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Squashes a picture and its ids to a square."""
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return small, cv2.resize(ids, (side, side), interpolation=cv2.INTER_NEAREST)


def augmented(
    rng: np.random.Generator, image: np.ndarray, ids: np.ndarray, objects: Objects, side: int
) -> tuple[np.ndarray, np.ndarray, Objects]:
    """A random part of the picture in a random aspect, light and colour, perhaps mirrored."""
    height, width = ids.shape
    scale, aspect = rng.uniform(0.65, 1.0), np.exp(rng.uniform(-0.3, 0.3))
    crop_h = min(round(height * scale * aspect**0.5), height)
    crop_w = min(round(width * scale / aspect**0.5), width)
    top, left = rng.integers(height - crop_h + 1), rng.integers(width - crop_w + 1)
    window = np.s_[top : top + crop_h, left : left + crop_w]
    image, ids = resized(image[window], ids[window], side)
    if rng.random() < 0.5:
        image, ids = image[:, ::-1], ids[:, ::-1].copy()
        ids[...] = _MIRRORED[ids]
        objects = objects._replace(held=objects.held[:, ::-1])
    light = image.astype(np.float32) / 255.0
    light = np.clip(light, 1e-3, 1.0) ** np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.05, 3))
    grey = light.mean(2, keepdims=True)
    light = grey + (light - grey) * rng.uniform(0.7, 1.3) + rng.normal(0, rng.uniform(0, 0.03), light.shape)
    return np.clip(255.0 * light, 0, 255).astype(np.uint8), ids, objects


_MIRRORED = np.arange(256, dtype=np.uint8)
_MIRRORED[[LEFT_HAND_ID, RIGHT_HAND_ID]] = RIGHT_HAND_ID, LEFT_HAND_ID


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
        items = []
        for number in chosen:
            folder = self._folders[number]
            item = augmented(rng, read_picture(folder), read_ids(folder), read_objects(folder), self._side)
            items.append(item)
        return collate(items)


def plain_batch(folders: list[Path], side: int) -> PictureBatch:
    """These scenes as they are."""
    return collate([(*resized(read_picture(f), read_ids(f), side), read_objects(f)) for f in folders])


def collate(items: list[tuple[np.ndarray, np.ndarray, Objects]]) -> PictureBatch:
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
