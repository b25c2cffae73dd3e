"""How far places lie from the truth where the masks are the answers of a preset, not the true ones.

    nice scripts/run python benchmarks/places_of_answers.py --scenes 40

Scenes of the validation split with picture and sound, and depth as in `benchmarks/places.py`. A mask of another object has
the place of another object, so all masks are listed, and apart those that fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.places import KINDS, SIZE_HW, Errors, View, measure_object, view_of, worsened
from benchmarks.scaffold import print_header, print_row, where
from cs3_model.build import Preset, build_pipeline, load_preset
from cs3_model.geometry import intersection_over_union
from cs3_model.types import AudioWindow, Frame
from training.simulation.dataset.generation_plan import SampleFormat
from training.simulation.dataset.scene_samples import SimulatedSample, make_scene
from training.simulation.rendering.renderer_process import RendererProcess

_FITS_IOU = 0.5
_PLACES = tuple(kind for kind in KINDS if kind != "contact from depth")
"""The contact of an answer needs two masks, and its truth is that of two objects."""


@dataclass(kw_only=True)
class Tally:
    """What came of all collisions."""

    num_collisions: int = 0
    num_answered: int = 0
    """With at least one mask."""
    num_placed: int = 0
    """With the place of at least one mask, from depth."""
    num_masks: int = 0
    num_fitting: int = 0
    all_masks: dict[str, Errors] = field(default_factory=lambda: {kind: Errors() for kind in KINDS})
    fitting: dict[str, Errors] = field(default_factory=lambda: {kind: Errors() for kind in KINDS})


def samples(num_scenes: int) -> Iterator[tuple[View, SimulatedSample]]:
    """The collisions of the first scenes of the validation split: both variants, where they collide."""
    form, renderer = SampleFormat(size_hw=SIZE_HW, only_at_onset=True), RendererProcess("filament", SIZE_HW)
    for number in range(num_scenes):
        made = make_scene("val", number, form, renderer)
        for outcome, sample in zip(made.outcomes, made.samples, strict=True):
            view = view_of(made.scene, outcome)
            if any((view.ids == value).any() for value in view.hit):
                yield view, sample


def heard(sample: SimulatedSample, preset: Preset) -> AudioWindow:
    """The sound around the onset that a node with the preset hears."""
    rate_hz, onset_s = sample.truth.sound.rate_hz, sample.truth.onset_s
    start = max(0, round((onset_s - preset.audio_pre_s) * rate_hz))
    return AudioWindow(samples=sample.sound[start : round((onset_s + preset.audio_post_s) * rate_hz)])


def meant(view: View, mask: np.ndarray) -> tuple[int, float]:
    """The colliding object that a mask covers best, and their IoU; where it covers none, the nearest in the picture."""
    in_sight = [value for value in view.hit if (view.ids == value).any()]
    middle = np.argwhere(mask).mean(axis=0)

    def nearness(value: int) -> tuple[float, float]:
        truth = view.ids == value
        overlap = intersection_over_union(mask, truth)
        return overlap, -float(np.linalg.norm(np.argwhere(truth).mean(axis=0) - middle))

    best = max(in_sight, key=nearness)
    return best, nearness(best)[0]


def measure(num_scenes: int, preset: Preset) -> Tally:
    """Answers of the preset to each collision, and how far their places lie from those of what collided."""
    pipeline, tally = build_pipeline(preset, device=torch.device("cpu")), Tally()
    for view, sample in samples(num_scenes):
        depth_m = worsened(view.depth_m, np.random.default_rng(tally.num_collisions))
        answer = pipeline.process(Frame(image=np.ascontiguousarray(sample.frames[1])), heard(sample, preset))
        before = len(tally.all_masks[KINDS[0]].error_m)
        for found in answer.masks:
            value, overlap = meant(view, found.mask)
            truth = view.ids == value
            measure_object(view, depth_m, truth, found.mask, value, tally.all_masks)
            if overlap >= _FITS_IOU:
                tally.num_fitting += 1
                measure_object(view, depth_m, truth, found.mask, value, tally.fitting)
        tally.num_collisions += 1
        tally.num_masks += len(answer.masks)
        tally.num_answered += bool(answer.masks)
        tally.num_placed += len(tally.all_masks[KINDS[0]].error_m) > before
    return tally


def main(
    scenes: Annotated[int, typer.Option(help="Scenes of the validation split.")] = 40,
    preset: Annotated[str, typer.Option(help="Whose masks.")] = "micro",
) -> None:
    """Print the errors as a table."""
    torch.set_num_threads(1)
    tally = measure(scenes, load_preset(preset))
    print(f"{where('numpy', 'torch', 'mujoco', 'opencv-python-headless')}, {scenes} scenes\n")
    print_header("masks", "place", "objects", "median, cm", "90 %, cm", "median distance, m", "without an answer")
    for name, errors in ((f"of {preset}", tally.all_masks), (f"of {preset}, IoU >= {_FITS_IOU}", tally.fitting)):
        for kind in _PLACES:
            print_row(name, kind, *errors[kind].row())
    print(
        f"\n{tally.num_collisions} collisions, {tally.num_answered} with masks, {tally.num_placed} with a place from depth; "
        f"{tally.num_fitting} of {tally.num_masks} masks fit"
    )


if __name__ == "__main__":
    typer.run(main)
