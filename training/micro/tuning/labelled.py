"""Own labelled collisions as batches: each time another view of the picture, with the sound that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cs3_model.networks.micro.letterbox import Letterbox
from cs3_model.networks.micro.micro_parts import MicroNetworks
from cs3_model.types import UInt8Image
from training.data.other_cameras import FilmedView, recorded
from training.data.samples import Hand, Sample, SceneObject
from training.data.sound_windows import read_window
from training.micro.vision.picture_batches import Picture, PictureBatch, collate
from training.micro.vision.scenes import MAX_OBJECTS, Objects

_LONGEST_PX = 640
"""Larger pictures are kept as small as this."""
_WHOLE_SHARE = 0.5
"""Of the views: all of the picture, as the networks see it in use."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledCollision:
    """One collision in memory."""

    image: UInt8Image
    """RGB [H, W, 3]."""
    ids: UInt8Image
    """[H, W]: 1 and 2 where the objects are that collided, else 0."""
    objects: Objects
    """They are struck; held is what the labels say."""
    embedding_D: Tensor
    """What the audio encoder makes of its sound."""
    material_logits_M: Tensor


class LabelledBatch(NamedTuple):
    """N collisions."""

    pictures: PictureBatch
    embedding_ND: Tensor
    material_logits_NM: Tensor


@torch.no_grad()
def read_labelled(samples: Sequence[Sample], networks: MicroNetworks) -> list[LabelledCollision]:
    """Looks at and listens to all samples in which something is seen to collide.

    Raises:
        SampleError: if a file is missing or broken.
        ValueError: if nothing is seen to collide in any of them.
    """
    found = []
    for sample in samples:
        objects = sample.load_objects() if sample.load_objects else ()
        colliding = [item for item in objects if item.is_colliding and item.mask.any()]
        if not colliding:
            continue
        image, ids = _drawn(sample.load_image(), colliding)
        heard = networks.audio(torch.from_numpy(read_window(sample.sound).samples)[None])
        found.append(
            LabelledCollision(
                image=image, ids=ids, objects=_objects(colliding),
                embedding_D=heard.embedding_ND[0], material_logits_M=heard.material_logits[0],
            )
        )  # fmt: skip
    if not found:
        raise ValueError("no sample shows what collided: nothing to learn from")
    return found


def _drawn(image: UInt8Image, colliding: Sequence[SceneObject]) -> tuple[UInt8Image, UInt8Image]:
    """The picture and the ids of its objects, not larger than is of use; the smaller object lies on the larger."""
    height, width = image.shape[:2]
    scale = min(1.0, _LONGEST_PX / max(height, width))
    size_wh = round(width * scale), round(height * scale)
    ids = np.zeros((height, width), np.uint8)
    for number, item in sorted(enumerate(colliding, 1), key=lambda pair: -int(pair[1].mask.sum())):
        ids[item.mask] = number
    small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    return cast(UInt8Image, small), cast(UInt8Image, cv2.resize(ids, size_wh, interpolation=cv2.INTER_NEAREST))


def _objects(colliding: Sequence[SceneObject]) -> Objects:
    unknown = np.full(1 + MAX_OBJECTS, -1)
    held, struck = np.zeros((1 + MAX_OBJECTS, 2), bool), np.zeros(1 + MAX_OBJECTS, bool)
    for number, item in enumerate(colliding, 1):
        struck[number] = True
        held[number] = [bool(item.held_by & hand) for hand in (Hand.LEFT, Hand.RIGHT)]
    return Objects(material=unknown, category=unknown.copy(), held=held, struck=struck)


class LabelledBatches(Dataset[LabelledBatch]):
    """Batch `step` of an endless, fixed sequence.

    Args:
        collisions: of `read_labelled`.
        side: of the networks' square.
        batch_size: N.
        seed: fixes the sequence.
    """

    def __init__(self, collisions: Sequence[LabelledCollision], *, side: int, batch_size: int, seed: int) -> None:
        self._collisions, self._side, self._batch_size, self._seed = collisions, side, batch_size, seed

    def __getitem__(self, step: int) -> LabelledBatch:
        rng = np.random.default_rng([self._seed, step])
        count = len(self._collisions)
        drawn = rng.choice(count, self._batch_size, replace=count < self._batch_size)
        chosen = [self._collisions[number] for number in drawn]
        return LabelledBatch(
            pictures=collate([seen_again(rng, collision, self._side) for collision in chosen]),
            embedding_ND=torch.stack([collision.embedding_D for collision in chosen]),
            material_logits_NM=torch.stack([collision.material_logits_M for collision in chosen]),
        )


def seen_again(rng: np.random.Generator, collision: LabelledCollision, side: int) -> Picture:
    """A view of a collision as the same camera might have had it: nearer, moved, mirrored, in another light."""
    height, width = collision.ids.shape
    share = 1.0 if rng.random() < _WHOLE_SHARE else rng.uniform(0.6, 1.0)
    free = np.array([width, height]) * (1.0 - share) / 2
    centre = np.array([width, height]) / 2 + rng.uniform(-1.0, 1.0, 2) * free
    view = FilmedView(
        centre_xy=(float(centre[0]), float(centre[1])),
        width_px=width * share,
        angle_rad=0.0 if share == 1.0 else float(rng.normal(0.0, 0.05)),
        bend=0.0,
        is_mirrored=bool(rng.random() < 0.5),
        letterbox=Letterbox.around((height, width), side),
    )
    image, ids = view.of(collision.image, collision.ids)
    held = collision.objects.held[:, ::-1] if view.is_mirrored else collision.objects.held
    return *view.in_square(recorded(rng, image), ids), collision.objects._replace(held=held)
