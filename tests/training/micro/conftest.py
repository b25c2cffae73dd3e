"""Scenes of rectangles in the files of the simulated world: quick to make, and every answer is known by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from training.simulation.dataset.storage import SimulatedSample, sample_folder, write_sample
from training.simulation.dataset.truth import (
    CameraTruth,
    CollisionTruth,
    ObjectTruth,
    SceneTruth,
    SoundTruth,
    TableTruth,
)
from training.simulation.rendering.id_map import LEFT_HAND_ID, RIGHT_HAND_ID, TABLE_ID

SIDE = 64
BOXES = {1: (4, 8, 20, 24), 2: (24, 8, 40, 20), 3: (44, 30, 60, 46)}
"""x_min, y_min, x_max, y_max of each object in the picture of 64 x 64 pixels."""
OBJECTS = {1: ("mug", "ceramic", ("left",)), 2: ("spoon", "metal", ("right",)), 3: ("bowl", "glass", ())}
"""Class and material of each object, and which hands hold it."""
COLOURS = {0: 30, 1: 220, 2: 120, 3: 170, TABLE_ID: 70, LEFT_HAND_ID: 200, RIGHT_HAND_ID: 190}


def drawn_ids() -> np.ndarray:
    """The table below, three objects, and the left hand in a corner."""
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[32:] = TABLE_ID
    ids[56:, :8] = LEFT_HAND_ID
    for number, (x_min, y_min, x_max, y_max) in BOXES.items():
        ids[y_min:y_max, x_min:x_max] = number
    return ids


def scene_truth(
    colliding: Sequence[int], *, held: Sequence[int] = (1, 2), split: str = "train", index: int = 0
) -> SceneTruth:
    """The truth about a drawn scene in which objects `colliding` collide and `held` are in the hands."""
    collision = CollisionTruth(
        ids=tuple(colliding),
        materials=("glass", "metal"),
        time_s=1.0,
        impulse_ns=0.01,
        closing_speed_m_s=0.5,
        contact_xy=(30.0, 20.0),
        contact_xyz_m=(0.0, 0.0, 0.6),
        occlusion=0.0,
    )
    return SceneTruth(
        scenario="hit",
        level="easy",
        camera=CameraTruth(width=SIDE, height=SIDE, focal_px=60.0, centre_xy=((SIDE - 1) / 2, (SIDE - 1) / 2)),
        frame_times_s=(0.9, 0.98, 1.1),
        onset_s=1.0,
        table=TableTruth(material="wood", id=TABLE_ID, area_px=int((drawn_ids() == TABLE_ID).sum())),
        objects=tuple(
            ObjectTruth(
                id=number,
                category=category,
                material=material,
                held_by=hands if number in held else (),
                area_px=int((drawn_ids() == number).sum()),
                box_xyxy=BOXES[number],
            )
            for number, (category, material, hands) in OBJECTS.items()
        ),
        collision=collision if colliding else None,
        hands=(),
        other_collisions_s=(),
        sound=SoundTruth(rate_hz=16_000, snr_db=20.0, rt60_s=0.3, background="quiet", off_screen_s=None),
        data_set="sim_cs3",
        generator_version=1,
        split=split,
        index=index,
        group=f"{split}-{index // 2:06d}",
    )


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
            truth = scene_truth((1, TABLE_ID) if index % 2 else (2, 3), split=split, index=index)
            picture = np.repeat(grey[..., None], 3, 2).astype(np.uint8)
            sample = SimulatedSample(frames={1: picture}, ids=ids, sound=sound, clean=sound, truth=truth)
            write_sample(sample_folder(tmp_path / "data", split, index), sample)
        return tmp_path / "data"

    return make
