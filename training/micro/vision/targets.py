"""Random questions about pictures, and their answers: prompts and masks, boxes of objects, objects in hands.

Shape suffixes: N pictures, Q prompts each, K boxes, S side of the picture, L words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cs3_model.networks.micro.vocabulary import CLASSES, MATERIALS, encode_prompt
from training.micro.vision.picture_batches import MIN_AREA_PX, PictureBatch
from training.micro.vision.scenes import MAX_OBJECTS
from training.simulation.rendering.id_map import LEFT_HAND_ID, RIGHT_HAND_ID, TABLE_ID

SIDES = ("left", "right")
NUM_PROMPTS, _KINDS = 4, 8
"""Questions to each picture, and kinds of them: to ask one of each kind would take longer than the tower."""


class Prompts(NamedTuple):
    """What is asked of each picture."""

    words_NQL: Tensor
    """Indices of words, int64."""
    chosen_NQ256: Tensor
    """Ids of the answer, bool [N, Q, 256]."""


def visible_objects(ids: Tensor) -> Tensor:
    """Which objects can be seen well, bool [N, 1 + MAX_OBJECTS], of ids [N, S, S]."""
    num_images = len(ids)
    flat = ids.flatten(1).long() + 256 * torch.arange(num_images)[:, None]
    area = torch.bincount(flat.flatten(), minlength=256 * num_images).view(num_images, 256)[:, : 1 + MAX_OBJECTS]
    visible = area >= MIN_AREA_PX
    visible[:, 0] = False
    return visible


def masks_of(chosen_NQ256: Tensor, ids: Tensor) -> Tensor:
    """Masks of sets of ids, bool [N, Q, ...] for ids [N, ...]."""
    num_images, num_prompts, _ = chosen_NQ256.shape
    flat = ids.flatten(1).long().unsqueeze(1).expand(-1, num_prompts, -1)
    return chosen_NQ256.gather(2, flat).view(num_images, num_prompts, *ids.shape[1:])


def draw_prompts(rng: np.random.Generator, batch: PictureBatch) -> Prompts:
    """Draws `NUM_PROMPTS` questions of different kinds for each picture; some have an empty answer."""
    words, chosen = [], []
    for n, visible in enumerate(visible_objects(batch.ids).numpy()):
        kinds = rng.choice(_KINDS, NUM_PROMPTS, replace=False)
        questions = [_question(rng, int(kind), n, batch, np.flatnonzero(visible)) for kind in kinds]
        words.append([encode_prompt(prompt) for prompt, _ in questions])
        chosen.append(np.stack([answer for _, answer in questions]))
    return Prompts(torch.tensor(words), torch.from_numpy(np.stack(chosen)))


def _question(
    rng: np.random.Generator, kind: int, n: int, batch: PictureBatch, seen: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    material, category = batch.material[n].numpy(), batch.category[n].numpy()
    held, answer = batch.held[n].numpy(), np.zeros(256, bool)
    objects = answer[: 1 + MAX_OBJECTS]
    side = int(rng.integers(2))
    held_by_side = np.flatnonzero(held[:, side])
    one = int(rng.choice(seen)) if len(seen) else 0
    if kind == 0 or (kind == 2 and not one):
        wanted = int(rng.integers(len(MATERIALS)))
        objects[:] = material == wanted
        return (MATERIALS[wanted],), answer
    if kind == 1:
        wanted = category[one] if one and rng.random() < 0.8 else int(rng.integers(len(CLASSES)))
        objects[:] = category == wanted
        return (CLASSES[wanted],), answer
    if kind == 2:
        objects[:] = (material == material[one]) & (category == category[one])
        return (MATERIALS[material[one]], CLASSES[category[one]]), answer
    if kind == 3:
        objects[held_by_side] = True
        return ("held", SIDES[side]), answer
    if kind == 4 or (kind == 7 and not len(held_by_side)):
        if rng.random() < 0.5:
            answer[[LEFT_HAND_ID, RIGHT_HAND_ID][side]] = True
            return (SIDES[side], "hand"), answer
        answer[TABLE_ID] = True
        return ("table",), answer
    if kind == 5:
        objects[:] = batch.struck[n].numpy()
        return ("struck",), answer
    if kind == 6 and one:
        objects[:] = material == material[one]
        return (MATERIALS[material[one]],), answer
    if kind == 7:
        index = material[held_by_side[0]]
        objects[held_by_side] = material[held_by_side] == index
        return ("held", SIDES[side], MATERIALS[index]), answer
    objects[:] = held.any(1)
    return ("held",), answer


def dense_labels(batch: PictureBatch) -> tuple[Tensor, Tensor]:
    """Labels of material and class of every pixel, as `MicroVision.dense_labels` counts them; -1 does not count."""
    materials = torch.zeros(len(batch.ids), 256, dtype=torch.int64)
    classes = torch.zeros_like(materials)
    materials[:, : 1 + MAX_OBJECTS] = batch.material + 1
    classes[:, : 1 + MAX_OBJECTS] = batch.category + 1
    materials[:, TABLE_ID] = -1  # its material is not in the data
    classes[:, TABLE_ID] = len(CLASSES) + 1
    flat = batch.ids.flatten(1).long()
    return materials.gather(1, flat).view(batch.ids.shape), classes.gather(1, flat).view(batch.ids.shape)


class Boxes(NamedTuple):
    """Boxes of objects."""

    boxes_K5: Tensor
    """Index of the picture, then the tight box, maximum edges exclusive."""
    masks_KSS: Tensor
    """The objects, bool."""


def draw_boxes(rng: np.random.Generator, batch: PictureBatch, num_per_picture: int) -> Boxes:
    """Draws some objects of each picture, held and struck ones first."""
    wanted = (batch.held.any(2) | batch.struck).numpy()
    chosen = []
    for n, visible in enumerate(visible_objects(batch.ids).numpy()):
        seen = np.flatnonzero(visible)
        order = np.argsort(rng.random(len(seen)) - 0.5 * wanted[n][seen])
        chosen += [(n, number) for number in seen[order][:num_per_picture]]
    rows, numbers = torch.from_numpy(np.array(chosen, np.int64).reshape(-1, 2)).T
    masks = batch.ids[rows] == numbers[:, None, None]
    return Boxes(torch.cat([rows[:, None].float(), batch.boxes[rows, numbers]], 1), masks)


def ids_to_point_at(ids: Tensor) -> Tensor:
    """Which ids one may point at: objects that can be seen well, and the table, bool [N, 256]."""
    asked = torch.zeros(len(ids), 256, dtype=torch.bool)
    asked[:, : 1 + MAX_OBJECTS] = visible_objects(ids)
    asked[:, TABLE_ID] = True
    return asked


def table_boxes(rng: np.random.Generator, batch: PictureBatch, share: float, cut: float) -> Boxes:
    """Boxes of the table in some pictures: of all that is seen of it, or of a part, as a map that points at it gives.

    Args:
        rng: draws pictures and parts.
        batch: the pictures.
        share: of the pictures that are asked, in [0, 1].
        cut: each edge is moved inwards by up to this share of the box's side.
    """
    seen = (batch.ids == TABLE_ID).flatten(1).sum(1) >= MIN_AREA_PX
    rows = (seen & torch.from_numpy(rng.random(len(seen)) < share)).nonzero().flatten()
    boxes = batch.boxes[rows, TABLE_ID]
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    inwards = torch.from_numpy(rng.uniform(0, cut, (len(rows), 4))).float() * torch.tensor([1.0, 1.0, -1.0, -1.0])
    return Boxes(torch.cat([rows[:, None].float(), boxes + inwards * sides], 1), batch.ids[rows] == TABLE_ID)


def jittered(rng: np.random.Generator, boxes_K5: Tensor, amount: float = 0.08) -> Tensor:
    """Boxes with edges off by a normal share of their side."""
    noise = torch.from_numpy(rng.normal(0, amount, (len(boxes_K5), 4))).float()
    sides = (boxes_K5[:, 3:] - boxes_K5[:, 1:3]).repeat(1, 2)
    moved = boxes_K5[:, 1:] + noise * sides
    smallest = boxes_K5[:, 1:3] + 1.0
    return torch.cat(
        [boxes_K5[:, :1], torch.minimum(moved[:, :2], smallest - 1.0 + 0.3 * sides[:, :2]),
         torch.maximum(moved[:, 2:], smallest)], 1
    )  # fmt: skip


def held_boxes(batch: PictureBatch) -> tuple[Tensor, Tensor]:
    """Boxes of what each hand holds.

    Returns:
        Boxes [N, 2, 4] (left, right) and whether there is one that can be seen, bool [N, 2].
    """
    present = batch.held & visible_objects(batch.ids)[..., None]
    edges, absent = batch.boxes[:, : 1 + MAX_OBJECTS, None], ~present[..., None]
    lowest = edges[..., :2].masked_fill(absent, torch.inf).amin(1)
    highest = edges[..., 2:].masked_fill(absent, -torch.inf).amax(1)
    there = present.any(1)
    return torch.where(there[..., None], torch.cat([lowest, highest], -1), 0.0), there
