"""The rows of the tables of results, as methods of `training.evaluation.methods` with places for files of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

_OURS = "preset:micro,weights={ours}"
_NO_AUDIO = "preset:micro,weights={no_audio}"
_WEAK = "preset:micro,weights={ours},weak={weak}"
_MAP_ALONE = "use_hands=false,heard_mask=map,use_crop=false"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRow:
    """One line of a table."""

    label: str
    """For people; with a dagger if it knows the scene."""
    method: str
    """For `training.evaluation.methods.build_row`, with {ours}, {no_audio}, {weak} and {mixture} for files."""
    paper: str = ""
    """The row of the paper's table that it is like."""
    is_shuffled: bool = False
    """True if it is repeated with several shuffles of the sounds."""

    def methods(self, files: Mapping[str, Sequence[Path]], num_shuffles: int) -> list[str]:
        """The method for each set of files, which go together in the order given; none if files are missing."""
        places = sorted({place for _, place, _, _ in Formatter().parse(self.method) if place})
        if not places:
            return [self.method]
        chosen = [
            dict(zip(places, paths, strict=True)) for paths in zip(*(files[place] for place in places), strict=False)
        ]
        suffixes = [f",shuffle={number}" for number in range(num_shuffles)] if self.is_shuffled else [""]
        return [self.method.format(**paths) + suffix for paths in chosen for suffix in suffixes]


OURS = TableRow(label="Ours", method=_OURS, paper="Ours")
OURS_AV = TableRow(label="Ours (AV)", method=f"{_OURS},use_hands=false", paper="Ours (AV)")
RIGHT_LEFT = TableRow(label="Right-Left", method=f"{_OURS},strategy=right-left", paper="Right-Left")
NO_AUDIO = TableRow(label="Ours, trained to look only", method=_NO_AUDIO)
SHUFFLED = TableRow(label="Ours, sound of another sample", method=f"{_OURS},sound=shuffled", is_shuffled=True)
WEAK = TableRow(label="Ours, map trained without masks", method=_WEAK)
CLIPSOUND = TableRow(
    label="CLIPSound-like: one mask",
    method=f"{_WEAK},{_MAP_ALONE},localisation.threshold=0.8,localisation.smoothing=0.005",
    paper="CLIPSound",
)

BASELINES = (
    TableRow(label="Random projection: one mask", method=f"{_OURS},token=random,{_MAP_ALONE}", paper="Random"),
    TableRow(label="Random (10 % square)", method="random-square"),
    TableRow(label="Centre (10 % square)", method="centre", paper="Centre (10 % square)"),
    CLIPSOUND,
    TableRow(label="Mix-Localize-like: two masks", method="mixture:{mixture},weights={ours}", paper="Mix-Localize"),
)
"""Those that the paper lists. Threshold and smoothing of CLIPSound-like are the best for it on val."""

TABLE_1 = (*BASELINES, WEAK, OURS_AV, OURS)
TABLE_2 = (
    OURS,
    TableRow(label="w/ crop", method=f"{_OURS},use_crop=true"),
    TableRow(label="w/o crop", method=f"{_OURS},use_crop=false"),
    TableRow(label="w/o crop, highest peak alone", method=f"{_OURS},use_crop=false,heard_points=1"),
    TableRow(label="w/o crop, heard object from its box", method=f"{_OURS},use_crop=false,heard_mask=box"),
    TableRow(
        label="w/o crop, heard object from its box, once",
        method=f"{_OURS},use_crop=false,heard_mask=box,heard_box_rounds=1",
    ),
    TableRow(label="w/o crop, beta 15 px", method=f"{_OURS},use_crop=false,verification.contact_distance_px=15"),
    TableRow(
        label="w/ crop, w/o SAM(AV)",
        method=f"{_OURS},heard_mask=map,use_crop=true",
        paper="Ours, w/o SAM(AV)",
    ),
    TableRow(
        label="w/o SAM(AV), crop",
        method=f"{_OURS},heard_mask=map,use_crop=false",
        paper="Ours, w/o SAM(AV), crop",
    ),
    TableRow(label="w/o SAM(AV), crop, HOI", method=f"{_OURS},{_MAP_ALONE}", paper="Ours, w/o SAM(AV), crop, HOI"),
)
"""The crop stands in every row but the first, which is the preset as it ships: that may look twice or not."""

TABLE_3 = (
    *(
        TableRow(label=label, method=f"{_OURS},strategy={label.lower()}", paper=label)
        for label in ("Right", "Left", "Right-AV", "Left-AV")
    ),
    TableRow(label="Adjacent", method=f"{_OURS},strategy=adjacent"),
    RIGHT_LEFT,
    OURS,
    TableRow(label="Oracle", method=f"{_OURS},strategy=oracle", paper="Oracle"),
)
HEARING = (
    OURS,
    NO_AUDIO,
    TableRow(label='Map of the prompt "struck", no sound', method=f"{_OURS},words=struck"),
    SHUFFLED,
    WEAK,
    RIGHT_LEFT,
    TableRow(label="Ours, true outlines †", method=f"{_OURS},true_masks=true"),
    TableRow(label="Looking only, true outlines †", method=f"{_NO_AUDIO},true_masks=true"),
    TableRow(label="Oracle choice of Ours' candidates †", method=f"{_OURS},strategy=oracle"),
    TableRow(label="The same, true outlines †", method=f"{_OURS},strategy=oracle,true_masks=true"),
    TableRow(
        label="Oracle choice of them and the heard objects passed over †", method=f"{_OURS},strategy=oracle-of-all"
    ),
    TableRow(label="Held and nearest, true masks †", method="held-nearest"),
    TableRow(label="Oracle choice, true masks †", method="oracle"),
    TableRow(label="Random objects, true masks †", method="random-objects"),
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
