"""Scenes of rectangles in the files of the simulated world: quick to make, and every answer is known by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.simulation.dataset.storage import (
    LEFT_HAND_ID,
    RIGHT_HAND_ID,
    TABLE_ID,
    WorldSample,
    sample_folder,
    write_sample,
)

SIDE = 64
BOXES = {1: (4, 8, 20, 24), 2: (24, 8, 40, 20), 3: (44, 30, 60, 46)}
"""x_min, y_min, x_max, y_max of each object in the picture of 64 x 64 pixels."""
FACTS = {
    1: {"class": "mug", "material": "ceramic", "held_by": ["left"]},
    2: {"class": "spoon", "material": "metal", "held_by": ["right"]},
    3: {"class": "bowl", "material": "glass", "held_by": []},
}
COLOURS = {0: 30, 1: 220, 2: 120, 3: 170, TABLE_ID: 70, LEFT_HAND_ID: 200, RIGHT_HAND_ID: 190}


def drawn_ids() -> np.ndarray:
    """The table below, three objects, and the left hand in a corner."""
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[32:] = TABLE_ID
    ids[56:, :8] = LEFT_HAND_ID
    for number, (x_min, y_min, x_max, y_max) in BOXES.items():
        ids[y_min:y_max, x_min:x_max] = number
    return ids


@pytest.fixture
def make_scenes(tmp_path: Path) -> Callable[..., Path]:
    """Returns a function that writes scenes in which object 2 hits object 3, then object 1 hits the table."""

    def make(count: int = 4, split: str = "train") -> Path:
        for index in range(2 * count):
            rng = np.random.default_rng(index)
            ids = drawn_ids()
            grey = np.vectorize(COLOURS.get)(ids) + rng.integers(-5, 6, ids.shape)
            sound = (0.01 * rng.standard_normal(32_000)).astype(np.float32)
            sound[16_000:17_000] += 0.5 * np.sin(np.arange(1000) * (0.3 if index % 2 else 1.2)).astype(np.float32)
            objects = [{"id": number, **facts} for number, facts in FACTS.items()]
            colliding = [1, TABLE_ID] if index % 2 else [2, 3]
            facts = {
                "objects": objects,
                "collision": {"ids": colliding},
                "onset_s": 1.0,
                "sound": {"rate_hz": 16_000},
            }
            picture = np.repeat(grey[..., None], 3, 2).astype(np.uint8)
            sample = WorldSample(frames={1: picture}, ids=ids, sound=sound, clean=sound, facts=facts)
            write_sample(sample_folder(tmp_path / "data", split, index), sample)
        return tmp_path / "data"

    return make
