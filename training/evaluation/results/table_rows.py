"""The rows of the tables of results; the files of weights come in later."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cs3_model.strategies import Strategy
from training.evaluation.row import Sound
from training.evaluation.row_spec import (
    Change,
    MixtureSpec,
    OracleChoice,
    PresetSpec,
    RowSpec,
    SimpleRow,
    SimpleSpec,
)


class WeightFiles(enum.Enum):
    """Which weights a row needs: a file per seed."""

    OURS = "ours"
    NO_AUDIO = "no audio"
    WEAK = "weak"
    MIXTURE = "mixture"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRow:
    """One line of a table."""

    label: str
    """For people; with a dagger if it knows the scene."""
    spec: RowSpec
    """The row, without its files."""
    files: tuple[tuple[str, WeightFiles], ...] = ()
    """The fields of `spec` that name files, and which."""
    paper: str = ""
    """The row of the paper's table that it is like."""

    def specs(self, files: Mapping[WeightFiles, Sequence[Path]], num_shuffles: int) -> list[RowSpec]:
        """The row for each set of files, which go together in the order given; none if files are missing.

        A row that hears shuffled sounds is repeated with several shuffles.
        """
        if not self.files:
            return [self.spec]
        return [
            shuffled
            for paths in zip(*(files[kind] for _, kind in self.files), strict=False)
            for shuffled in _shuffles(self._with(paths), num_shuffles)
        ]

    def _with(self, paths: Sequence[Path]) -> RowSpec:
        named: dict[str, Any] = {field: path for (field, _), path in zip(self.files, paths, strict=True)}
        return replace(self.spec, **named)


def _shuffles(spec: RowSpec, count: int) -> list[RowSpec]:
    if not isinstance(spec, PresetSpec) or spec.sound is not Sound.SHUFFLED:
        return [spec]
    return [replace(spec, shuffle=number) for number in range(count)]


_OURS = (("weights", WeightFiles.OURS),)
_NO_AUDIO = (("weights", WeightFiles.NO_AUDIO),)
_WEAK = (*_OURS, ("weak", WeightFiles.WEAK))
_MIXTURE = (*_OURS, ("file", WeightFiles.MIXTURE))


def _micro(*changes: Change, **fields: Any) -> PresetSpec:
    """The paper's verification on micro, whatever its preset chooses by."""
    return _by(Strategy.OURS, *changes, **fields)


def _by(strategy: Strategy, *changes: Change, **fields: Any) -> PresetSpec:
    return PresetSpec(preset="micro", changes=(("strategy", strategy.value), *changes), **fields)


def _oracle(choice: OracleChoice, **fields: Any) -> PresetSpec:
    return PresetSpec(preset="micro", oracle=choice, **fields)


_CROP, _NO_CROP = ("use_crop", True), ("use_crop", False)
_NO_HANDS, _AS_MAP, _AS_BOX = ("use_hands", False), ("heard_mask", "map"), ("heard_mask", "box")
_MAP_ALONE = (_NO_HANDS, _AS_MAP, _NO_CROP)

OURS = TableRow(label="Ours", spec=_micro(), files=_OURS, paper="Ours")
OURS_AV = TableRow(label="Ours (AV)", spec=_micro(_NO_HANDS), files=_OURS, paper="Ours (AV)")
RIGHT_LEFT = TableRow(label="Right-Left", spec=_by(Strategy.RIGHT_LEFT), files=_OURS, paper="Right-Left")
NO_AUDIO = TableRow(label="Ours, trained to look only", spec=_micro(), files=_NO_AUDIO)
SHUFFLED = TableRow(label="Ours, sound of another sample", spec=_micro(sound=Sound.SHUFFLED), files=_OURS)
WEAK = TableRow(label="Ours, map trained without masks", spec=_micro(), files=_WEAK)
CLIPSOUND = TableRow(
    label="CLIPSound-like: one mask",
    spec=_micro(*_MAP_ALONE, ("localisation.threshold", 0.8), ("localisation.smoothing", 0.005)),
    files=_WEAK,
    paper="CLIPSound",
)

BASELINES = (
    TableRow(
        label="Random projection: one mask", spec=_micro(*_MAP_ALONE, random_token=True), files=_OURS, paper="Random"
    ),
    TableRow(label="Random (10 % square)", spec=SimpleSpec(row=SimpleRow.RANDOM_SQUARE)),
    TableRow(label="Centre (10 % square)", spec=SimpleSpec(row=SimpleRow.CENTRE), paper="Centre (10 % square)"),
    CLIPSOUND,
    TableRow(label="Mix-Localize-like: two masks", spec=MixtureSpec(), files=_MIXTURE, paper="Mix-Localize"),
)
"""Those that the paper lists. Threshold and smoothing of CLIPSound-like are the best for it on val."""

TABLE_1 = (*BASELINES, WEAK, OURS_AV, OURS)
TABLE_2 = (
    OURS,
    TableRow(label="w/ crop", spec=_micro(_CROP), files=_OURS),
    TableRow(label="w/o crop", spec=_micro(_NO_CROP), files=_OURS),
    TableRow(label="w/o crop, highest peak alone", spec=_micro(_NO_CROP, ("heard_points", 1)), files=_OURS),
    TableRow(label="w/o crop, heard object from its box", spec=_micro(_NO_CROP, _AS_BOX), files=_OURS),
    TableRow(
        label="w/o crop, heard object from its box, once",
        spec=_micro(_NO_CROP, _AS_BOX, ("heard_box_rounds", 1)),
        files=_OURS,
    ),
    TableRow(
        label="w/o crop, beta 15 px", spec=_micro(_NO_CROP, ("verification.contact_distance_px", 15)), files=_OURS
    ),
    TableRow(
        label="w/ crop, w/o SAM(AV)",
        spec=_micro(_AS_MAP, _CROP),
        files=_OURS,
        paper="Ours, w/o SAM(AV)",
    ),
    TableRow(
        label="w/o SAM(AV), crop",
        spec=_micro(_AS_MAP, _NO_CROP),
        files=_OURS,
        paper="Ours, w/o SAM(AV), crop",
    ),
    TableRow(
        label="w/o SAM(AV), crop, HOI", spec=_micro(*_MAP_ALONE), files=_OURS, paper="Ours, w/o SAM(AV), crop, HOI"
    ),
)
"""The crop stands in every row but the first, which is the preset as it ships: that may look twice or not."""

TABLE_3 = (
    *(
        TableRow(label=label, spec=_by(Strategy(label.lower())), files=_OURS, paper=label)
        for label in ("Right", "Left", "Right-AV", "Left-AV")
    ),
    TableRow(label="Adjacent", spec=_by(Strategy.ADJACENT), files=_OURS),
    RIGHT_LEFT,
    OURS,
    TableRow(label="Oracle", spec=_oracle(OracleChoice.ONE_PER_ROLE), files=_OURS, paper="Oracle"),
)
HEARING = (
    OURS,
    NO_AUDIO,
    TableRow(label='Map of the prompt "struck", no sound', spec=_micro(words="struck"), files=_OURS),
    SHUFFLED,
    WEAK,
    RIGHT_LEFT,
    TableRow(label="Ours, true outlines †", spec=_micro(true_masks=True), files=_OURS),
    TableRow(label="Looking only, true outlines †", spec=_micro(true_masks=True), files=_NO_AUDIO),
    TableRow(label="Oracle choice of Ours' candidates †", spec=_oracle(OracleChoice.ONE_PER_ROLE), files=_OURS),
    TableRow(label="The same, true outlines †", spec=_oracle(OracleChoice.ONE_PER_ROLE, true_masks=True), files=_OURS),
    TableRow(
        label="Oracle choice of them and the heard objects passed over †",
        spec=_oracle(OracleChoice.ALL),
        files=_OURS,
    ),
    TableRow(label="Held and nearest, true masks †", spec=SimpleSpec(row=SimpleRow.HELD_NEAREST)),
    TableRow(label="Oracle choice, true masks †", spec=SimpleSpec(row=SimpleRow.ORACLE)),
    TableRow(label="Random objects, true masks †", spec=SimpleSpec(row=SimpleRow.RANDOM_OBJECTS)),
)
"""What hearing is worth, and where it is lost."""

SPLITS = {
    "test": tuple(dict.fromkeys((*TABLE_1, *TABLE_2, *TABLE_3, *HEARING))),
    "counterfactual": HEARING,
    "two_hands": HEARING,
    "twins": HEARING,
    "held_out": HEARING,
}
"""The rows that each split is needed for."""
