"""A folder of own recordings with `objects.json`, which names what collided, when, and draws it.

    {"collisions": [{"clip": "a.mp4", "onset_s": 0.65, "objects": [
        {"name": "knife", "alternatives": [[[[555, 330], [978, 485], [540, 400]]]]},
        {"name": "board or cabbage", "alternatives": [[POLYGON, "-", POLYGON], [POLYGON]]}]}]}

`"held": "left"` (or `"right"`) beside a name says that this hand of the wearer holds the object; it may be left out.
A POLYGON is a list of points [x, y], pixels of the picture nearest to the onset. An alternative is a list of polygons
that are joined; those after "-" are cut out, those after "+" are joined again. Where it cannot be said what exactly
collided, an object has several alternatives, and a mask is scored by the one that fits best.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cs3_model.moment.motion import MOTION_S
from cs3_model.types import BoolMask, UInt8Image
from training.data.clip_media import read_around, read_picture
from training.data.framings import in_framings
from training.data.samples import DataSet, Hand, Sample, SampleError, SceneObject, SoundSegment

NAME = "recordings"
SPLIT = "all"
FRAMED_SPLIT = "framed"
"""Each of them in ten framings."""
_SEGMENT_S = 0.4
"""How long a collision sounds after its onset, as in Sim-CS3."""
_HANDS = {"": Hand.NONE, "left": Hand.LEFT, "right": Hand.RIGHT}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PolygonStep:
    """One polygon of an outline."""

    points_xy: npt.NDArray[np.int32]
    """Shape [P, 2], pixels."""
    is_cut_out: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledObject:
    """One object that collided."""

    name: str
    alternatives: tuple[tuple[PolygonStep, ...], ...]
    """At least one outline, each of at least one polygon."""
    held_by: Hand = Hand.NONE
    """The hand that is said to hold it."""

    def draw(self, size_hw: tuple[int, int]) -> tuple[BoolMask, ...]:
        """The alternatives as masks [H, W].

        Raises:
            SampleError: if one is empty.
        """
        masks = tuple(_draw(steps, size_hw) for steps in self.alternatives)
        if not all(mask.any() for mask in masks):
            raise SampleError(f"'{self.name}': an alternative has no pixel in a picture of {size_hw[1]} x {size_hw[0]}")
        return masks


def open_recordings(root: Path, split: str) -> DataSet:
    """Reads `objects.json`; pictures and sound stay in the clips.

    Args:
        root: The folder that holds it.
        split: `SPLIT`, or `FRAMED_SPLIT`.

    Raises:
        ValueError: if the file is missing or of another form; the message names the entry.
    """
    path = root / "objects.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: it should hold the collisions (docs/evaluation.md, own recordings)")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["collisions"]
        if not isinstance(entries, list) or not entries:
            raise ValueError("'collisions' must be a list that is not empty")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected JSON with a list 'collisions': {error}") from None
    samples = tuple(_sample(root, split, entry, f"{path}: collisions[{index}]") for index, entry in enumerate(entries))
    if split == FRAMED_SPLIT:
        samples = tuple(framed for sample in samples for framed in in_framings(sample))
    absent = sorted({sample.sound.path for sample in samples if not sample.sound.path.is_file()})
    return DataSet(
        name=NAME, split=split, samples=samples, missing=tuple(f"clip {path.name}" for path in absent),
        places=(f"clips in {root}",) if absent else (),
    )  # fmt: skip


def _sample(root: Path, split: str, entry: Any, source: str) -> Sample:
    try:
        clip, onset_s = str(entry["clip"]), float(entry["onset_s"])
        objects = tuple(_labelled(item) for item in entry["objects"])
        if not 1 <= len(objects) <= 2:
            raise ValueError(f"one or two objects collide, got {len(objects)}")
    except (KeyError, TypeError, ValueError) as error:
        problem = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{source}: expected clip, onset_s and objects with name and alternatives: {problem}"
        ) from None
    load_image = partial(read_picture, root / clip, onset_s)
    return Sample(
        sample_id=f"{clip}@{onset_s:.4f}",
        data_set=NAME,
        split=split,
        load_image=load_image,
        sound=SoundSegment(path=root / clip, start_s=onset_s, stop_s=onset_s + _SEGMENT_S),
        load_around=partial(read_around, root / clip, onset_s, MOTION_S),
        load_objects=partial(_read_objects, objects, load_image, source),
    )


def _labelled(item: Any) -> LabelledObject:
    alternatives = tuple(_steps(outline) for outline in item["alternatives"])
    if not alternatives:
        raise ValueError(f"'{item['name']}' has no outline")
    held = item.get("held", "")
    if held not in _HANDS:
        raise ValueError(f"'{item['name']}': held must be left or right, got {held!r}")
    return LabelledObject(name=str(item["name"]), alternatives=alternatives, held_by=_HANDS[held])


def _steps(outline: Sequence[Any]) -> tuple[PolygonStep, ...]:
    is_cut_out, steps = False, []
    for item in outline:
        if item in ("-", "+"):
            is_cut_out = item == "-"
            continue
        points = np.asarray(item, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
            raise ValueError(f"a polygon must be three or more points [x, y], got {str(item)[:60]}")
        steps.append(PolygonStep(points_xy=np.rint(points).astype(np.int32), is_cut_out=is_cut_out))
    if not steps:
        raise ValueError("an alternative has no polygon")
    return tuple(steps)


def _draw(steps: Sequence[PolygonStep], size_hw: tuple[int, int]) -> BoolMask:
    canvas = np.zeros(size_hw, np.uint8)
    for step in steps:
        cv2.fillPoly(canvas, [step.points_xy], 0 if step.is_cut_out else 1)
    return canvas.astype(bool)


def _read_objects(
    objects: Sequence[LabelledObject], load_image: Callable[[], UInt8Image], source: str
) -> tuple[SceneObject, ...]:
    size_hw = load_image().shape[:2]
    try:
        drawn = [item.draw(size_hw) for item in objects]
    except SampleError as error:
        raise SampleError(f"{source}: {error}") from None
    return tuple(
        SceneObject(mask=masks[0], alternatives=masks[1:], is_colliding=True, category=item.name, held_by=item.held_by)
        for item, masks in zip(objects, drawn, strict=True)
    )
