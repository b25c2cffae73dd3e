"""What a preset proposes on Sim-CS3, one file per sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from cs3_model.pipeline import CollisionPipeline
from cs3_model.strategies import Strategy
from cs3_model.types import Frame
from training.data.sim_cs3 import read_sample
from training.data.sound_windows import read_window
from training.selection.selection_events import SelectionEvent, reduced_event, write_event


def collect_split(root: Path, split: str, pipeline: CollisionPipeline, out: Path) -> int:
    """Writes the events of a split to ``out/split``, those that are there already excepted.

    Returns:
        How many were written.

    Raises:
        ValueError: if there is no sample, or a file cannot be read or written.
    """
    folders = sorted(path for path in (root / split).glob("[0-9]*/[0-9]*") if path.is_dir())
    if not folders:
        raise ValueError(f"{root / split} has no samples: python -m training.simulation make {root} --splits {split}")
    pipeline.config = replace(pipeline.config, strategy=Strategy.LEARNED)  # the one that looks at motion
    missing = [folder for folder in folders if not event_path(out, split, folder).exists()]
    for folder in tqdm(missing, desc=split):
        write_event(event_path(out, split, folder), collect_sample(folder, pipeline))
    return len(missing)


def event_path(out: Path, split: str, folder: Path) -> Path:
    """Where the event of a sample's folder is kept."""
    return out / split / f"{folder.name}.npz"


def collect_sample(folder: Path, pipeline: CollisionPipeline) -> SelectionEvent:
    """What a pipeline proposes on one sample, beside the truth.

    Raises:
        SampleError: if a file of the sample is missing or broken.
    """
    sample = read_sample(folder)
    assert sample.load_objects is not None and sample.load_around is not None
    true_masks = [item.mask for item in sample.load_objects() if item.is_colliding and item.mask.any()]
    frame, around = Frame(image=sample.load_image()), sample.load_around()
    proposed = pipeline.propose(pipeline.prepare(frame, around.before), read_window(sample.sound), around.after)
    return reduced_event(proposed, true_masks, frame.size_hw)
