"""EPIC-KITCHENS VISOR: polygons of objects and hands in sparse pictures of EPIC-KITCHENS videos.

VISOR does not say what collided, but it names objects and says what each hand touches: for pictures that EPIC-CS3
shares with it, that is the truth for the rows that know the hands (Table 3 of the paper).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cs3_model.geometry import intersection_over_union
from cs3_model.types import BoolMask
from training.data.samples import Hand, SampleError, SceneObject

POLYGON_SIZE_HW = (1080, 1920)
"""Size of the picture in which the published sparse polygons are drawn."""

_HANDS = {"left hand": Hand.LEFT, "right hand": Hand.RIGHT}
_SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VisorObject:
    """One annotated object."""

    name: str
    polygons: tuple[np.ndarray, ...]
    """Each float32 [P, 2], (x, y) in a picture of `POLYGON_SIZE_HW`."""
    held_by: Hand
    """The hands in contact with it."""

    def mask(self, size_hw: tuple[int, int]) -> BoolMask:
        """The union of the polygons, bool [H, W], scaled to a picture's size."""
        scale = np.array([size_hw[1] / POLYGON_SIZE_HW[1], size_hw[0] / POLYGON_SIZE_HW[0]])
        canvas = np.zeros(size_hw, np.uint8)
        for polygon in self.polygons:
            cv2.fillPoly(canvas, [np.rint(polygon * scale).astype(np.int32)], 1)
        return canvas.astype(bool)


def read_visor(path: Path, frame_mapping: Path) -> dict[str, tuple[VisorObject, ...]]:
    """Reads the sparse annotations of one video.

    Args:
        path: The JSON file of the video.
        frame_mapping: VISOR's `frame_mapping.json`: its frame names are not always those of EPIC-KITCHENS.

    Returns:
        The objects of each picture by EPIC-KITCHENS's name of it; hands and gloves on hands are no objects.

    Raises:
        SampleError: if a file is missing or not in VISOR's format; the message names the entry.
    """
    try:
        entries = _read_json(path)["video_annotations"]
        names = _read_json(frame_mapping)[path.stem]
    except (KeyError, TypeError):
        raise SampleError(
            f"expected the list 'video_annotations' in {path} and the frame names of '{path.stem}' in {frame_mapping}"
        ) from None
    pictures = {}
    for index, entry in enumerate(entries):
        try:
            name = entry["image"]["name"]
            pictures[names.get(name, name)] = _read_objects(entry["annotations"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SampleError(
                f"{path}: video_annotations[{index}]: expected image.name and annotations with id, name and segments "
                f"of points [x, y], got {type(error).__name__}: {error}"
            ) from None
    return pictures


def add_visor(
    colliding: Sequence[SceneObject], annotated: Sequence[VisorObject], size_hw: tuple[int, int]
) -> tuple[SceneObject, ...]:
    """Completes the colliding objects of a picture by what VISOR knows: their names and hands, and the other objects.

    A VISOR object is a colliding one if their IoU is at least one half.
    """
    completed, others = list(colliding), []
    for item in annotated:
        mask = item.mask(size_hw)
        overlaps = [intersection_over_union(mask, known.mask) for known in colliding]
        if overlaps and max(overlaps) >= _SAME_OBJECT_IOU:
            index = int(np.argmax(overlaps))
            completed[index] = replace(completed[index], category=item.name, held_by=item.held_by)
        else:
            others.append(SceneObject(mask=mask, is_colliding=False, category=item.name, held_by=item.held_by))
    return (*completed, *others)


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise SampleError(f"{path} does not exist: VISOR's frames cannot be found without it")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SampleError(f"{path} is not JSON: {error}") from None


def _read_objects(annotations: Sequence[Mapping[str, Any]]) -> tuple[VisorObject, ...]:
    held_by: dict[str, Hand] = {}
    for item in annotations:
        for side in _sides(item):
            if (touched := item.get("in_contact_object")) is not None:
                held_by[touched] = held_by.get(touched, Hand.NONE) | side
    return tuple(
        VisorObject(
            name=item["name"],
            polygons=tuple(np.array(points, np.float32).reshape(-1, 2) for points in item["segments"]),
            held_by=held_by.get(item["id"], Hand.NONE),
        )
        for item in annotations
        if not _sides(item)
    )


def _sides(item: Mapping[str, Any]) -> list[Hand]:
    """Which hands an annotation shows: a hand itself, or a glove on it."""
    names = [item["name"], *(item.get("on_which_hand") or ())]
    return [_HANDS[name] for name in names if name in _HANDS]
