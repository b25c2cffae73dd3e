"""Reads Sim-CS3 from disk as the common `training.data.samples.Sample`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2

from cs3_model.types import HandObjects, HeldObject, UInt8Image
from training.data.samples import Conditions, DataSet, Hand, Sample, SampleError, SceneObject, SoundSegment
from training.simulation.dataset.storage import FRAME_NAMES, TABLE_ID, read_ids, read_truth
from training.simulation.scenario.splits import split_named

NAME = "sim_cs3"
FRAMES = {"before": 0, "at": 1, "after": 2}
_SEGMENT_S = 0.4
"""Length of the annotated sound after an onset."""


def read_split(root: Path, split: str) -> DataSet:
    """Lists the samples of a split; pictures and sound stay on disk.

    The truth masks belong to the middle frame, the last one before the onset.

    Raises:
        ValueError: if there is no such split, or it has no samples in `root`.
    """
    split_named(split)
    folders = sorted(path for path in (root / split).glob("[0-9]*/[0-9]*") if path.is_dir())
    if not folders:
        raise ValueError(f"{root / split} has no samples: python -m training.simulation make {root} --splits {split}")
    return DataSet(name=NAME, split=split, samples=tuple(read_sample(folder) for folder in folders))


def read_sample(folder: Path, frame: str = "at") -> Sample:
    """Reads the truth of one sample.

    Args:
        folder: The sample's folder.
        frame: before, at or after the onset; masks are those of "at".

    Raises:
        SampleError: if truth.json is missing or broken.
    """
    try:
        facts = read_truth(folder)
        return _sample(folder, facts, FRAMES[frame])
    except (ValueError, KeyError) as error:
        raise SampleError(f"{folder}: {error}") from error


def _sample(folder: Path, facts: dict[str, Any], frame: int) -> Sample:
    hit, onset_s = facts["collision"], facts["onset_s"]
    contact = None
    if hit is not None:
        x, y = hit["contact_xy"]
        if 0 <= x < facts["camera"]["width"] and 0 <= y < facts["camera"]["height"]:
            contact = (x, y)
    return Sample(
        sample_id=f"{facts['split']}-{facts['index']:06d}",
        data_set=NAME,
        split=facts["split"],
        load_image=partial(_read_image, folder / FRAME_NAMES[frame]),
        sound=SoundSegment(path=folder / "sound.flac", start_s=onset_s, stop_s=onset_s + _SEGMENT_S),
        load_objects=partial(_read_objects, folder, facts),
        knows_whole_scene=True,
        hands=_hands(facts),
        materials=tuple(hit["materials"]) if hit is not None else (),
        contact_xy=contact,
        conditions=Conditions(
            snr_db=facts["sound"]["snr_db"],
            occlusion=hit["occlusion"] if hit is not None else None,
            level=facts["level"],
            scenario=facts["scenario"],
            frame_offset_s=facts["frame_times_s"][frame] - onset_s,
            group=facts["group"],
        ),
    )


def _read_image(path: Path) -> UInt8Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SampleError(f"{path} is missing or no JPEG: generate the sample again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _read_objects(folder: Path, facts: dict[str, Any]) -> tuple[SceneObject, ...]:
    try:
        ids = read_ids(folder)
    except ValueError as error:
        raise SampleError(str(error)) from error
    colliding = set(facts["collision"]["ids"]) if facts["collision"] is not None else set()
    hands = {"left": Hand.LEFT, "right": Hand.RIGHT}
    objects = []
    for thing in facts["objects"]:
        held = Hand.NONE
        for side in thing["held_by"]:
            held |= hands[side]
        objects.append(
            SceneObject(
                mask=ids == thing["id"],
                is_colliding=thing["id"] in colliding,
                material=thing["material"],
                category=thing["class"],
                held_by=held,
            )
        )
    objects.append(
        SceneObject(
            mask=ids == TABLE_ID,
            is_colliding=TABLE_ID in colliding,
            material=facts["table"]["material"],
            category="table",
            is_surface=True,
        )
    )
    return tuple(objects)


def _hands(facts: dict[str, Any]) -> HandObjects:
    held = {}
    for hand in facts["hands"]:
        if hand["object_box_xyxy"] is not None:
            held[hand["side"]] = HeldObject(
                box_xyxy=tuple(map(float, hand["object_box_xyxy"])),
                score=1.0,
                hand_box_xyxy=tuple(map(float, hand["box_xyxy"])),
            )
    return HandObjects(**held)
