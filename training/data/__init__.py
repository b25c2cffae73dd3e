"""Readers of the data sets: every one yields `training.data.samples.Sample`.

On the command line a split is written NAME:PATH[:SPLIT]; `DataSpec` is what that means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.data import filmed_sim_cs3 as filmed_sim_cs3
from training.data import recordings as recordings
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


REAL_SETS = {data_set.name: data_set for data_set in (EPIC_CS3, EGO4D_CS3)}
"""The data sets of the paper."""

READERS: Mapping[str, Reader] = {
    data_set.name: Reader(splits=tuple(data_set.files), evaluation_split="val", open=partial(open_real, data_set))
    for data_set in REAL_SETS.values()
} | {
    sim_cs3.NAME: Reader(splits=tuple(SIM_CS3_SPLITS), evaluation_split="test", open=sim_cs3.read_split),
    filmed_sim_cs3.NAME: Reader(splits=tuple(SIM_CS3_SPLITS), evaluation_split="test", open=filmed_sim_cs3.read_split),
    recordings.NAME: Reader(
        splits=(recordings.SPLIT, recordings.FRAMED_SPLIT),
        evaluation_split=recordings.SPLIT,
        open=recordings.open_recordings,
    ),
}
"""All data sets by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSpec:
    """Which split of which data set, and where it lies.

    Raises:
        ValueError: for an unknown name or split.
    """

    name: str
    """One of `READERS`."""
    root: Path
    """The folder that holds its files."""
    split: str = ""
    """One of its splits; empty: the one for evaluation."""

    def __post_init__(self) -> None:
        if self.name not in READERS:
            raise ValueError(f"data set must be one of {', '.join(READERS)}, got '{self.name}'")
        reader = READERS[self.name]
        object.__setattr__(self, "split", self.split or reader.evaluation_split)
        if self.split not in reader.splits:
            raise ValueError(f"split of {self.name} must be one of {', '.join(reader.splits)}, got '{self.split}'")

    @staticmethod
    def parse(text: str, *, default_split: str | None = "") -> DataSpec:
        """Reads NAME:PATH[:SPLIT]; what follows the last colon of the path is its split.

        Args:
            text: For instance "sim_cs3:data/sim_cs3:val"; `~` is the home folder.
            default_split: The split where the text names none; empty: the one for evaluation; None: the text must
                name it.

        Raises:
            ValueError: for text of another form, an unknown name or split.
        """
        name, _, rest = text.partition(":")
        path, has_split, named_split = rest.rpartition(":")
        split = named_split if has_split else default_split
        path = path if has_split else rest
        if not path or split is None:
            form = "NAME:PATH:SPLIT" if default_split is None else "NAME:PATH[:SPLIT]"
            raise ValueError(f"data must be {form} with a name of {', '.join(READERS)}, got '{text}'")
        return DataSpec(name=name, root=Path(path).expanduser(), split=split)


def open_data_set(spec: DataSpec) -> DataSet:
    """Opens a split of a data set.

    Raises:
        ValueError: for a missing folder or broken annotations.
    """
    if not spec.root.is_dir():
        raise ValueError(f"{spec.root} is not a folder: it should hold the files of {spec.name}")
    return READERS[spec.name].open(spec.root, spec.split)
