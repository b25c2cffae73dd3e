"""What a preset proposes on Sim-CS3, one file per sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from cs3_model.pipeline import CollisionPipeline
from cs3_model.strategies import Strategy
from cs3_model.types import Frame
from training.data import filmed_sim_cs3, sim_cs3
from training.data.samples import Sample
from training.data.sound_windows import read_window
from training.selection.selection_events import SelectionEvent, reduced_event, write_event

FILMED = "filmed-"
"""Begins the names of splits as other cameras film them."""


def collect_split(root: Path, split: str, pipeline: CollisionPipeline, out: Path) -> int:
    """Writes the events of a split to ``out/split``, those that are there already excepted.

    Args:
        root: Folder of Sim-CS3.
        split: Name of a split; after `FILMED`, as other cameras film it, see `training.data.filmed_sim_cs3`.
        pipeline: Who proposes.
        out: Where the events go.

    Returns:
        How many were written.

    Raises:
        ValueError: if there is no sample, or a file cannot be read or written.
    """
    is_filmed = split.startswith(FILMED)
    data_set = (filmed_sim_cs3 if is_filmed else sim_cs3).read_split(root, split.removeprefix(FILMED))
    pipeline.config = replace(pipeline.config, strategy=Strategy.LEARNED)  # the one that looks at motion
    missing = [sample for sample in data_set.samples if not event_path(out, split, sample).exists()]
    for sample in tqdm(missing, desc=split):
        write_event(event_path(out, split, sample), collect_sample(sample, pipeline))
    return len(missing)


def event_path(out: Path, split: str, sample: Sample) -> Path:
    """Where the event of a sample is kept."""
    return out / split / f"{sample.sample_id}.npz"


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
