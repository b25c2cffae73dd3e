"""Readers of the data sets: every one yields `training.data.samples.Sample`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.data import sim_cs3 as sim_cs3
from training.data.real_sets import EGO4D_CS3, EPIC_CS3, open_real
from training.data.samples import DataSet
from training.simulation.scenario.splits import SPLITS as SIM_CS3_SPLITS


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """How a data set is opened."""

    splits: tuple[str, ...]
    """Names of its splits."""
    evaluation_split: str
    """The one that is evaluated unless another is named."""
    open: Callable[[Path, str], DataSet]
    """Opens a split below a folder."""


READERS: Mapping[str, Reader] = {
    data_set.name: Reader(splits=tuple(data_set.files), evaluation_split="val", open=partial(open_real, data_set))
    for data_set in (EPIC_CS3, EGO4D_CS3)
} | {sim_cs3.NAME: Reader(splits=tuple(SIM_CS3_SPLITS), evaluation_split="test", open=sim_cs3.read_split)}
"""All data sets by name."""


def open_data_set(name: str, root: Path, split: str = "") -> DataSet:
    """Opens a split of a data set.

    Args:
        name: One of `READERS`.
        root: The folder that holds its files.
        split: One of its splits; empty: the one for evaluation.

    Raises:
        ValueError: for an unknown name or split, a missing folder, or broken annotations.
    """
    if name not in READERS:
        raise ValueError(f"data set must be one of {', '.join(READERS)}, got '{name}'")
    reader = READERS[name]
    split = split or reader.evaluation_split
    if split not in reader.splits:
        raise ValueError(f"split of {name} must be one of {', '.join(reader.splits)}, got '{split}'")
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: it should hold the files of {name}")
    return reader.open(root, split)
