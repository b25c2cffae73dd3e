"""What a preset proposes on the samples of a data set, one file for each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from cs3_model.pipeline import CollisionPipeline
from cs3_model.strategies import Strategy
from cs3_model.types import Frame
from training.data.samples import DataSet, Sample
from training.data.sound_windows import read_window
from training.selection.selection_events import SelectionEvent, reduced_event, write_event


def collect_events(data_set: DataSet, pipeline: CollisionPipeline, out: Path) -> int:
    """Writes the events of a data set, those that are there already excepted.

    Args:
        data_set: Its samples have the truth and the pictures before and after.
        pipeline: Who proposes.
        out: Where the events go, into `folder_of`.

    Returns:
        How many were written.

    Raises:
        ValueError: if it lacks them, or a file cannot be read or written.
    """
    if not all(sample.load_objects and sample.load_around for sample in data_set.samples):
        raise ValueError(f"{data_set.name} has no true masks, or no pictures before and after: nothing to learn from")
    pipeline.config = replace(pipeline.config, strategy=Strategy.LEARNED)  # the one that looks at motion
    name = f"{data_set.name}:{data_set.split}"
    folder = folder_of(out, name)
    missing = [sample for sample in data_set.samples if not (folder / f"{sample.sample_id}.npz").exists()]
    for sample in tqdm(missing, desc=name):
        write_event(folder / f"{sample.sample_id}.npz", collect_sample(sample, pipeline))
    return len(missing)


def folder_of(events: Path, name: str) -> Path:
    """Where the events of a split are kept, NAME:SPLIT."""
    return events.joinpath(*name.split(":"))


def collect_sample(sample: Sample, pipeline: CollisionPipeline) -> SelectionEvent:
    """What a pipeline proposes on one sample, beside the truth.

    Raises:
        SampleError: if a file of the sample is missing or broken.
    """
    assert sample.load_objects is not None and sample.load_around is not None
    true_masks = [item.mask for item in sample.load_objects() if item.is_colliding and item.mask.any()]
    frame, around = Frame(image=sample.load_image()), sample.load_around()
    proposed = pipeline.propose(pipeline.prepare(frame, around.before), read_window(sample.sound), around.after)
    return reduced_event(proposed, true_masks, frame.size_hw)
