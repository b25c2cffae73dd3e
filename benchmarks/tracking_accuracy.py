"""How well objects are followed after a collision: J and F at 1 s and 3 s, on clips of the simulated world.

    scripts/run python -m training.simulation clip clips/0 --seed 0 --seconds 6 --width 320 --height 320 --all-ids
    scripts/run python benchmarks/tracking_accuracy.py clips
    scripts/run python benchmarks/tracking_accuracy.py clips --preset foundation    with the published weights

Each object of each collision is taken up with its true mask, so that the tracker alone is measured, and compared with
the true mask later. Trivial rows: the mask stays where it was, and the mask moves by optical flow alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer

from benchmarks.scaffold import print_header, print_row, where
from cs3_model.build import load_preset, select_device
from cs3_model.metrics import bootstrap
from cs3_model.tracking.build_tracker import build_tracker
from cs3_model.tracking.flow_tracker import FlowTracker
from cs3_model.tracking.mask_scores import contour_accuracy, region_similarity
from cs3_model.tracking.tracker import FollowedObject, Tracker
from cs3_model.types import BoolMask, UInt8Image

_AFTER_S = (1.0, 3.0)
_LEAST_SHARE = 0.0012
"""Of the picture: smaller objects are no collision's in Sim-CS3 either."""


class StillMask:
    """The trivial tracker: everything stays where it was. Implements `Tracker` and `Track`."""

    name = "mask stays"
    trained = True

    def start(self, image: UInt8Image, masks: Sequence[BoolMask]) -> StillMask:
        self._objects = tuple(FollowedObject.seen(mask, 1.0) for mask in masks)
        return self

    def step(self, image: UInt8Image) -> tuple[FollowedObject, ...]:
        return self._objects


class PixelFlow:
    """The other trivial tracker: each pixel of the mask moves by optical flow. Implements `Tracker` and `Track`."""

    name = "pixels move by flow"
    trained = True

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def start(self, image: UInt8Image, masks: Sequence[BoolMask]) -> PixelFlow:
        self._grey, self._masks = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), list(masks)
        return self

    def step(self, image: UInt8Image) -> tuple[FollowedObject, ...]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        back = self._flow.calc(grey, self._grey, None)
        ys, xs = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]].astype(np.float32)
        sources = xs + back[..., 0], ys + back[..., 1]
        self._masks = [cv2.remap(mask.astype(np.float32), *sources, cv2.INTER_LINEAR) > 0.5 for mask in self._masks]
        self._grey = grey
        return tuple(FollowedObject.seen(mask, 1.0) for mask in self._masks)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One collision with what comes after it."""

    clip: Path
    frame: int
    ids: tuple[int, ...]
    """Values of its objects in the id maps."""
    fps: float

    def image(self, number: int) -> UInt8Image:
        picture = cv2.imread(str(self.clip / "frames" / f"{number:06d}.jpg"))
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def masks(self, number: int) -> list[BoolMask]:
        found = cv2.imread(str(self.clip / "ids" / f"{number:06d}.png"), cv2.IMREAD_GRAYSCALE)
        return [np.asarray(found == value) for value in self.ids]


def cases(folder: Path) -> Iterator[Case]:
    """Collisions that are followed by as much as is measured; of those in one frame, each set of objects once."""
    for clip in sorted(path.parent for path in folder.glob("*/truth.json")):
        truth = json.loads((clip / "truth.json").read_text())
        seen = set()
        for hit in truth["collisions"]:
            case = Case(clip=clip, frame=hit["frame"], ids=(), fps=truth["fps"])
            ids = tuple(
                value
                for value in hit["ids"]
                if value != truth["table"]["id"]
                and Case(clip=clip, frame=hit["frame"], ids=(value,), fps=truth["fps"]).masks(hit["frame"])[0].mean()
                >= _LEAST_SHARE
            )
            lasts = case.frame + round(max(_AFTER_S) * case.fps) < truth["num_frames"]
            if ids and lasts and (case.frame, ids) not in seen:
                seen.add((case.frame, ids))
                yield Case(clip=clip, frame=case.frame, ids=ids, fps=truth["fps"])


def follow(tracker: Tracker, case: Case) -> Iterator[tuple[float, float, float]]:
    """Yields time after the collision, J and F of each object at each of the times."""
    track = tracker.start(case.image(case.frame), case.masks(case.frame))
    wanted = {case.frame + round(after_s * case.fps): after_s for after_s in _AFTER_S}
    for number in range(case.frame + 1, max(wanted) + 1):
        found = track.step(case.image(number))
        if number in wanted:
            for one, true in zip(found, case.masks(number), strict=True):
                yield wanted[number], region_similarity(one.mask, true), contour_accuracy(one.mask, true)


def main(
    folder: Annotated[Path, typer.Argument(help="Clips with the id maps of all frames.")],
    preset: Annotated[str, typer.Option(help="Whose tracker is measured beside the trivial ones.")] = "micro",
    device: Annotated[str, typer.Option(help="Of that tracker: auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    torch.set_num_threads(1)
    found = list(cases(folder))
    trackers: list[Tracker] = [
        StillMask(),
        PixelFlow(),
        FlowTracker(None),
        build_tracker(load_preset(preset), device=select_device(device)),
    ]
    num_clips = len({case.clip for case in found})
    num_objects = sum(len(case.ids) for case in found)
    print(
        f"{num_clips} clips, {len(found)} collisions, {num_objects} objects; {where('torch', 'opencv-python-headless')}\n"
    )
    print_header("tracker", *(f"{name} at {after_s:g} s" for after_s in _AFTER_S for name in "JF"))
    for tracker in trackers:
        scores: dict[tuple[float, str], list[float]] = defaultdict(list)
        clips: list[str] = []
        for case in found:
            for after_s, region, contour in follow(tracker, case):
                scores[after_s, "J"].append(region)
                scores[after_s, "F"].append(contour)
            clips += [case.clip.name] * len(case.ids)
        cells = []
        for after_s in _AFTER_S:
            for name in "JF":
                row = bootstrap(scores[after_s, name], np.random.default_rng(0), groups=clips)
                cells.append(f"{100 * row.mean:.1f} ({100 * row.low:.1f} to {100 * row.high:.1f})")
        print_row(tracker.name, *cells)


if __name__ == "__main__":
    typer.run(main)
