"""Reads Sim-CS3 from disk as the common `training.data.samples.Sample`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cs3_model.types import Frame, HandObjects, HeldObject, UInt8Image
from training.data.samples import Around, Conditions, DataSet, Hand, Sample, SampleError, SceneObject, SoundSegment
from training.simulation.dataset.storage import read_frame, read_ids, read_truth
from training.simulation.dataset.truth import SceneTruth
from training.simulation.rendering.id_map import TABLE_ID, Box
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
        return _sample(folder, read_truth(folder), FRAMES[frame])
    except ValueError as error:
        raise SampleError(f"{folder}: {error}") from error


def _sample(folder: Path, truth: SceneTruth, frame: int) -> Sample:
    hit = truth.collision
    contact = None
    if hit is not None:
        x, y = hit.contact_xy
        if 0 <= x < truth.camera.width and 0 <= y < truth.camera.height:
            contact = (x, y)
    return Sample(
        sample_id=f"{truth.split}-{truth.index:06d}",
        data_set=NAME,
        split=truth.split,
        load_image=partial(_read_image, folder, frame),
        sound=SoundSegment(path=folder / "sound.flac", start_s=truth.onset_s, stop_s=truth.onset_s + _SEGMENT_S),
        load_around=partial(_read_around, folder, truth),
        load_objects=partial(_read_objects, folder, truth),
        knows_whole_scene=True,
        hands=_hands(truth),
        materials=hit.materials if hit is not None else (),
        contact_xy=contact,
        conditions=Conditions(
            snr_db=truth.sound.snr_db,
            occlusion=hit.occlusion if hit is not None else None,
            level=truth.level,
            scenario=truth.scenario,
            frame_offset_s=truth.frame_times_s[frame] - truth.onset_s,
            group=truth.group,
        ),
    )


def _read_image(folder: Path, number: int) -> UInt8Image:
    try:
        return read_frame(folder, number)
    except ValueError as error:
        raise SampleError(str(error)) from None


def _read_around(folder: Path, truth: SceneTruth) -> Around:
    def frame(name: str) -> Frame:
        index = FRAMES[name]
        seconds = truth.frame_times_s[index] - truth.frame_times_s[FRAMES["at"]]
        return Frame(image=_read_image(folder, index), stamp_ns=round(seconds * 1e9))

    return Around(before=frame("before"), after=frame("after"))


def _read_objects(folder: Path, truth: SceneTruth) -> tuple[SceneObject, ...]:
    try:
        ids = read_ids(folder)
    except ValueError as error:
        raise SampleError(str(error)) from error
    colliding = truth.collision.ids if truth.collision is not None else ()
    hands = {"left": Hand.LEFT, "right": Hand.RIGHT}
    objects = []
    for item in truth.objects:
        held = Hand.NONE
        for side in item.held_by:
            held |= hands[side]
        objects.append(
            SceneObject(
                mask=ids == item.id,
                is_colliding=item.id in colliding,
                material=item.material,
                category=item.category,
                held_by=held,
            )
        )
    objects.append(
        SceneObject(
            mask=ids == TABLE_ID,
            is_colliding=TABLE_ID in colliding,
            material=truth.table.material,
            category="table",
            is_surface=True,
        )
    )
    return tuple(objects)


def _hands(truth: SceneTruth) -> HandObjects:
    held = {
        hand.side: HeldObject(
            box_xyxy=_as_floats(hand.object_box_xyxy), score=1.0, hand_box_xyxy=_as_floats(hand.box_xyxy)
        )
        for hand in truth.hands
        if hand.object_box_xyxy is not None
    }
    return HandObjects(**held)


def _as_floats(box: Box) -> tuple[float, float, float, float]:
    x_min, y_min, x_max, y_max = box
    return float(x_min), float(y_min), float(x_max), float(y_max)
