"""Sim-CS3 as other cameras film it: how a chain that was trained on the world holds up in other pictures.

Each sample keeps its sound and gets another view, light, lens and file (`training.data.other_cameras`), the same for all its
pictures and for all samples of its group. What such a view does not show is not in the truth. Hands and objects keep their
colours. Between simulation and recordings: worse pictures, still of the world.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cs3_model.types import BoolMask, UInt8Image
from training.data import sim_cs3
from training.data.other_cameras import FilmedView, draw_view, recorded
from training.data.samples import Around, DataSet, Sample, SceneObject

NAME = "filmed_sim_cs3"
_SIDE = 352
"""Longer side of what is filmed, pixels."""
_SEEN_SHARE = 0.001
"""Of the view: what is seen less of is not in view."""


def read_split(root: Path, split: str) -> DataSet:
    """Lists the samples of a split of Sim-CS3 as other cameras film them.

    Raises:
        ValueError: if there is no such split, or it has no samples in `root`.
    """
    data_set = sim_cs3.read_split(root, split)
    return replace(data_set, name=NAME, samples=tuple(filmed_sample(sample) for sample in data_set.samples))


def filmed_sample(sample: Sample) -> Sample:
    """The sample as another camera films it; the same for the same sample.

    The truth keeps what the view shows of the masks; contact and boxes of held objects are not known any more.
    """
    assert sample.load_around is not None and sample.load_objects is not None
    camera = _OtherCamera(seed=zlib.crc32((sample.conditions.group or sample.sample_id).encode()))
    return replace(
        sample,
        data_set=NAME,
        load_image=partial(camera.load_image, sample.load_image),
        load_around=partial(camera.load_around, sample.load_around),
        load_objects=partial(camera.load_objects, sample.load_objects),
        knows_whole_scene=False,
        hands=None,
        contact_xy=None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _OtherCamera:
    """One draw of view, light, lens and file."""

    seed: int

    def view(self, size_hw: tuple[int, int]) -> FilmedView:
        # A mirror would swap the hands that the truth names.
        return replace(draw_view(np.random.default_rng([self.seed, 0]), size_hw, _SIDE), is_mirrored=False)

    def filmed(self, image: UInt8Image, stamp_ns: int) -> UInt8Image:
        height, width = image.shape[:2]
        seen, _ = self.view((height, width)).of(image, np.zeros((height, width), np.uint8))
        noise = np.random.default_rng([self.seed, 2, abs(stamp_ns), stamp_ns < 0])
        return recorded(np.random.default_rng([self.seed, 1]), seen, noise)

    def load_image(self, load: Callable[[], UInt8Image]) -> UInt8Image:
        return self.filmed(load(), 0)

    def load_around(self, load: Callable[[], Around]) -> Around:
        return load().changed(lambda frame: replace(frame, image=self.filmed(frame.image, frame.stamp_ns)))

    def load_objects(self, load: Callable[[], tuple[SceneObject, ...]]) -> tuple[SceneObject, ...]:
        objects = load()
        height, width = objects[0].mask.shape
        ids = np.zeros((height, width), np.uint8)
        for number, item in enumerate(objects, start=1):  # masks of Sim-CS3 do not overlap
            ids[item.mask] = number
        _, seen = self.view((height, width)).of(np.zeros((height, width, 3), np.uint8), ids)
        return tuple(replace(item, mask=_in_view(seen == number)) for number, item in enumerate(objects, start=1))


def _in_view(mask: BoolMask) -> BoolMask:
    return mask if mask.mean() >= _SEEN_SHARE else np.zeros_like(mask)
