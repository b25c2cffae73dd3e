"""A kitchen of rectangles: every score can be worked out by hand, and every file is real.

The picture, 64 x 96 (each letter 8 x 8 pixels)::

    . . . . . . . . . . . .      P pan, in the right hand     c cup, touches the pan
    . L L . . P P c c . . .      L lid, in the left hand      b box, 16 pixels right of the cup
    . L L . . P P c c . b b
    . . . . . . . . . . b b      the table lies under all of the lower half

Two sounds go with each picture: the pan hits the cup (a high tone), or the lid hits the box (a low one).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import soundfile

from cs3_model.types import BoolMask
from training.data.clip_media import read_image
from training.data.samples import Conditions, DataSet, Hand, Sample, SceneObject, SoundSegment

RATE_HZ = 16_000
BOXES = {"pan": (1, 3, 5, 7), "lid": (1, 3, 1, 3), "cup": (1, 3, 7, 9), "box": (2, 4, 10, 12)}
MATERIALS = {"pan": "metal", "lid": "metal", "cup": "glass", "box": "wood"}
COLOURS = {"pan": (70, 70, 90), "lid": (180, 60, 60), "cup": (120, 190, 220), "box": (170, 120, 60)}
HELD_BY = {"pan": Hand.RIGHT, "lid": Hand.LEFT}
EVENTS = {"high": ("pan", "cup"), "low": ("lid", "box"), "none": ()}


def mask_of(name: str) -> BoolMask:
    mask = np.zeros((64, 96), bool)
    top, bottom, left, right = BOXES[name]
    mask[8 * top : 8 * bottom, 8 * left : 8 * right] = True
    return mask


def objects_of(event: str) -> tuple[SceneObject, ...]:
    table = np.zeros((64, 96), bool)
    table[32:] = True
    colliding = EVENTS[event]
    named = [
        SceneObject(
            mask=mask_of(name),
            is_colliding=name in colliding,
            material=MATERIALS[name],
            category=name,
            held_by=HELD_BY.get(name, Hand.NONE),
        )
        for name in BOXES
    ]
    return (*named, SceneObject(mask=table, is_colliding=False, category="table", is_surface=True))


def drawn_sample(folder: Path, picture: int, event: str) -> Sample:
    """Writes the files of a sample and describes it."""
    name = f"{picture}-{event}"
    image = np.full((64, 96, 3), (200, 196, 188), np.uint8)
    image[32:] = (150, 130, 105)
    for item, colour in COLOURS.items():
        image[mask_of(item)] = colour
    image[0, 0] = picture
    image_path = folder / f"{picture}.png"
    cv2.imwrite(str(image_path), image[..., ::-1])
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    hertz = {"high": 2000, "low": 500, "none": 0}[event]
    tone = 0.5 * np.sin(2 * np.pi * hertz * time_s) * np.exp(-8 * np.maximum(time_s - 1.5, 0)) * (time_s > 1.5)
    soundfile.write(folder / f"{name}.flac", tone, RATE_HZ)
    return Sample(
        sample_id=name,
        data_set="drawn",
        split="test",
        load_image=partial(read_image, image_path),
        sound=SoundSegment(path=folder / f"{name}.flac", start_s=1.5, stop_s=1.5 + 0.4 * (1 + picture % 4)),
        load_objects=partial(objects_of, event),
        knows_whole_scene=True,
        materials=tuple(sorted({MATERIALS[item] for item in EVENTS[event]})),
        conditions=Conditions(
            snr_db=10.0 * (picture % 3) - 5, level=("easy", "medium", "hard")[picture % 3], group=f"picture {picture}"
        ),
    )


def drawn_data_set(folder: Path, num_pictures: int = 4, events: tuple[str, ...] = ("high", "low")) -> DataSet:
    """Every event with every picture."""
    samples = (drawn_sample(folder, picture, event) for picture in range(num_pictures) for event in events)
    return DataSet(name="drawn", split="test", samples=tuple(samples))
