"""The rows of the paper's Tables 1 to 3 on real data, for one preset; those that cannot be had say why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cs3_model.strategies import Strategy
from training.evaluation.results.table_rows import TableRow
from training.evaluation.row_spec import Change, OracleChoice, PresetSpec, RowSpec, SimpleRow, SimpleSpec

_NO_CLIPSOUND = (
    "its weights are ACL-SSL's, published without a licence: convert them with `cs3 weights import-acl`, name them in a "
    "preset, and give that as --clipsound"
)
_TABLE_3 = {
    "Right": Strategy.RIGHT,
    "Left": Strategy.LEFT,
    "Right-AV": Strategy.RIGHT_AV,
    "Left-AV": Strategy.LEFT_AV,
    "Touch": Strategy.TOUCH,
}
"""The rows of Table 3 before *Right-Left*, in its order."""
_NO_MIX_LOCALIZE = "its published weights fit no network here (docs/weights.md)"


@dataclass(frozen=True, kw_only=True, slots=True)
class AbsentRow:
    """A row of the paper that is not measured."""

    label: str
    paper: str
    """Its name in the paper's table."""
    why: str
    """What is missing, and where it comes from."""


RealRow = TableRow | AbsentRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RealRows:
    """The three tables."""

    preset: str
    """Whose rows these are."""
    table_1: tuple[RealRow, ...]
    table_2: tuple[RealRow, ...]
    table_3: tuple[RealRow, ...]
    ours: TableRow
    by_kind: tuple[TableRow, ...]
    """Shown by kind of sample; `ours` first."""

    def measured(self) -> tuple[TableRow, ...]:
        """All that can be had, each once."""
        every = (*self.table_1, *self.table_2, *self.table_3)
        return tuple(dict.fromkeys(row for row in every if isinstance(row, TableRow)))

    def absent(self) -> tuple[AbsentRow, ...]:
        """All that cannot."""
        every = (*self.table_1, *self.table_2, *self.table_3)
        return tuple(dict.fromkeys(row for row in every if isinstance(row, AbsentRow)))


def real_rows(preset: str, clipsound: str, why_absent: Callable[[RowSpec], str]) -> RealRows:
    """The rows for a preset.

    Args:
        preset: A name, or a .yaml file; its options are those of *Ours*, whose ablations the rows are.
        clipsound: The preset whose map is the baseline CLIPSound; empty: that row is absent.
        why_absent: Says of a row what it lacks; empty if nothing.
    """

    def of(name: str, *changes: Change, strategy: Strategy = Strategy.OURS, random: bool = False) -> PresetSpec:
        return PresetSpec(preset=name, changes=(("strategy", strategy.value), *changes), random_token=random)

    def row(label: str, spec: RowSpec, paper: str = "") -> RealRow:
        why = why_absent(spec)
        return AbsentRow(label=label, paper=paper, why=why) if why else TableRow(label=label, spec=spec, paper=paper)

    # A random projection was not trained with a masker, whatever the preset cuts its map by.
    minmax = ("localisation.binarisation", "minmax")
    no_hands, as_map, no_crop = ("use_hands", False), ("heard_mask", "map"), ("use_crop", False)
    map_alone = (no_hands, as_map, no_crop)
    ours = TableRow(label="Ours", spec=of(preset), paper="Ours")
    ours_av = TableRow(label="Ours (AV)", spec=of(preset, no_hands), paper="Ours (AV)")
    right_left = TableRow(label="Right-Left", spec=of(preset, strategy=Strategy.RIGHT_LEFT), paper="Right-Left")
    return RealRows(
        preset=preset,
        table_1=(
            row("Random: a random projection, its map", of(preset, *map_alone, minmax, random=True), "Random"),
            row("Random: the same as Ours (AV), with crop and SAM", of(preset, no_hands, minmax, random=True)),
            row("Centre (10 % square)", SimpleSpec(row=SimpleRow.CENTRE), "Centre (10 % square)"),
            row("CLIPSound", of(clipsound, *map_alone), "CLIPSound")
            if clipsound
            else AbsentRow(label="CLIPSound", paper="CLIPSound", why=_NO_CLIPSOUND),
            AbsentRow(label="Mix-Localize", paper="Mix-Localize", why=_NO_MIX_LOCALIZE),
            ours_av,
            ours,
        ),
        table_2=(
            ours,
            row("w/o SAM(AV)", of(preset, as_map), "Ours, w/o SAM(AV)"),
            row("w/o SAM(AV), crop", of(preset, as_map, no_crop), "Ours, w/o SAM(AV), crop"),
            row("w/o SAM(AV), crop, HOI", of(preset, *map_alone), "Ours, w/o SAM(AV), crop, HOI"),
        ),
        table_3=(
            *(row(label, of(preset, strategy=strategy), label) for label, strategy in _TABLE_3.items()),
            right_left,
            ours,
            row("Oracle", PresetSpec(preset=preset, oracle=OracleChoice.ONE_PER_ROLE), "Oracle"),
        ),
        ours=ours,
        by_kind=(ours, ours_av, right_left),
    )
