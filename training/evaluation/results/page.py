"""The page of results in simulation: tables, differences and the figures that should be reached, from the records of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cs3_model.build import load_preset
from cs3_model.metrics import Estimate
from cs3_model.pipeline import PipelineConfig
from training.evaluation.counterfactual import exact_by_looking
from training.evaluation.results.markdown import markdown_table, percent
from training.evaluation.results.paper_figures import paper_cell
from training.evaluation.results.row_runs import METRICS, Found, RowRuns
from training.evaluation.results.strata_tables import strata_tables
from training.evaluation.results.table_rows import (
    BASELINES,
    HEARING,
    NO_AUDIO,
    OURS,
    OURS_AV,
    RIGHT_LEFT,
    SHUFFLED,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TableRow,
)

_STRATA_ROWS = (OURS, OURS_AV, RIGHT_LEFT, NO_AUDIO)
_TESTS = {
    "counterfactual": "One picture, two sounds, two answers: whoever only looks is right about half at best.",
    "two_hands": "Both hands hold something, and one of the contacts is silent.",
    "twins": "Two objects of one shape and of different materials; only one of them is hit.",
    "held_out": "Shapes, finishes, pairs of materials and rooms that training never showed.",
}


def results_page(found: Mapping[str, Found], provenance: str, pictures: Sequence[str]) -> str:
    """The whole page.

    Args:
        found: by split; "test" must be there.
        provenance: where the figures come from, Markdown.
        pictures: paths relative to the page.
    """
    test = found["test"]
    parts = [
        "# Results in simulation",
        "**Simulation only:** all measured figures are on Sim-CS3 ([world.md](world.md)), for the preset `micro`, which "
        "was trained on Sim-CS3. The paper's figures are on real video and with large networks; they stand beside for "
        "the order of the rows, not for comparison of the values.",
        provenance,
        _READING,
        "## Figures to reach",
        _goals(found),
        "## Table 1: baselines",
        _paper_table(TABLE_1, test, ("1",)),
        _BASELINE_NOTES,
        *_silence_note(test),
        "## Table 2: ablations",
        _paper_table(TABLE_2, test, ("1", "2")),
        _preset_note(load_preset("micro").pipeline),
        "## Table 3: strategies",
        _paper_table(TABLE_3, test, ("1", "3")),
        _TOUCH_NOTE,
        "## What hearing is worth",
        _hearing_table(test),
        *(part for split in _TESTS if split in found for part in _test_parts(split, found[split])),
        "## By kind of sample (Figs. 6-8 and more)",
        *(f"![]({picture})" for picture in pictures),
        *strata_tables([test[row] for row in _STRATA_ROWS if row in test]),
    ]
    return "\n\n".join(parts) + "\n"


_READING = (
    "All in %, with 95 % bootstrap intervals over pictures; ± is the standard deviation between seeds (of weights, or "
    "of shuffles). A sample's score is the sum of its matched IoUs over the larger of the numbers of predicted and true "
    "masks. *Exact*: one mask for each true object, each with an IoU of at least 0.5. † knows the truth: a bound, not a "
    "method."
)
_BASELINE_NOTES = (
    "CLIPSound-like: the audio token trained without masks, by the losses of the paper (`training/weak/objective.py`), "
    "before the frozen prompt decoder; its map, thresholded, is the one mask, as in ACL-SSL. Mix-Localize-like: slots "
    "of mixed sounds that find their pictures by a cycle walk (`training/evaluation/baselines/mix_localize.py`). Both use the tower and the "
    "audio encoder of `micro` and the pictures and sounds of its training split."
)


_TOUCH_NOTE = (
    "The paper's row *Touch* (34.03 / 34.80) takes the object in the right hand and the one that the hand detector says "
    "it touches; that of `micro` does not say so. *Adjacent* is not in the paper: *Ours*, but two objects must be adjacent "
    "or overlap."
)


def _paper_table(rows: Sequence[TableRow], found: Found, tables: Sequence[str]) -> str:
    header = ["Row", "mIoU", "±", "AUC", "exact", "paper: EPIC-CS3 mIoU / AUC", "paper: Ego4D-CS3 mIoU / AUC"]
    lines = []
    for row in rows:
        if row in found:
            theirs = (paper_cell(data_set, row.paper, tables) for data_set in ("epic_cs3", "ego4d_cs3"))
            lines.append([row.label, *_measured(found[row], ("mIoU", "AUC", "exact")), *theirs])
    return f"n = {_count(found)}.\n\n{markdown_table(header, lines)}"


def _preset_note(config: PipelineConfig) -> str:
    """Which ablation of the second look the preset is, and where it leaves the paper."""
    mine, other = ("w/ crop", "w/o crop") if config.use_crop else ("w/o crop", "w/ crop")
    limit = config.verification
    return (
        f"`use_crop` is {'on' if config.use_crop else 'off'} in the preset `micro`: *Ours* is *{mine}*, and *{other}* is the "
        "same weights with the other choice. The paper's Ours, and its row w/o SAM(AV), have it on: they look again at a "
        "crop around the peak of the first map. Two choices of the preset are not the paper's: the heard object is "
        f"segmented by a {config.heard_mask.value} of that map, the best of {config.heard_points}, in "
        f"{config.heard_box_rounds} rounds (*heard object from its box, once*: the paper's way), and masks collide when "
        f"they are less than {limit.contact_distance_px:g} px apart in a picture that is {limit.reference_width_px} px "
        "wide (*beta 15 px*: the paper's number, whose resolution it does not say)."
    )


def _measured(runs: RowRuns, metrics: Sequence[str]) -> list[str]:
    first, *others = metrics
    spread = f"{100 * runs.spread(METRICS[first]):.2f}" if len(runs.scores) > 1 else ""
    return [percent(runs.estimate(METRICS[first])), spread, *(percent(runs.estimate(METRICS[m])) for m in others)]


def _silence_note(found: Found) -> list[str]:
    count = len(found[OURS].silences) // len(found[OURS].scores)
    if not count:
        return []
    shares = [f"{row.label} {100 * np.mean(found[row].silences):.1f} %" for row in TABLE_1 if row in found]
    return [f"In {count} more samples nothing collides visibly; answered with no mask: {', '.join(shares)}."]


def _hearing_table(found: Found) -> str:
    """Each row, and how far Ours is above it."""
    header = ["Row", "mIoU", "exact", "±", "Ours is above it by, mIoU", "Ours is above it by, exact"]
    lines = []
    for row in HEARING:
        if row in found:
            runs, ours = found[row], found[OURS]
            above = [_points(ours.above(runs, METRICS[m])) if row is not OURS else "" for m in ("mIoU", "exact")]
            lines.append([row.label, percent(runs.estimate(METRICS["mIoU"])), *_measured(runs, ("exact",)), *above])
    return f"n = {_count(found)}.\n\n{markdown_table(header, lines)}"


def _test_parts(split: str, found: Found) -> list[str]:
    records = found[OURS].samples
    note = _TESTS[split]
    if len({record.group for record in records}) < len(records):
        ceiling = 100 * exact_by_looking([(record.group, record.answer) for record in records])
        note += f" No row that only looks can be exact on more than {ceiling:.1f} %."
    return [f"### Test: {split.replace('_', ' ')}", note, _hearing_table(found)]


def _goals(found: Mapping[str, Found]) -> str:
    test, iou, exact = found["test"], METRICS["mIoU"], METRICS["exact"]
    ours = test[OURS]
    best = max((test[row] for row in BASELINES if row in test), key=lambda runs: runs.estimate(iou).mean)
    ratio = ours.estimate(iou).mean / best.estimate(iou).mean
    lines = [[f"mIoU of Ours / of the best baseline ({best.row.label})", ">= 3", f"{ratio:.2f}", _met(ratio >= 3)]]
    for row in (RIGHT_LEFT, OURS_AV):
        above = ours.above(test[row], iou)
        lines.append([f"Ours - {row.label}, mIoU", "> 0", _points(above), _met(above.low > 0)])
    for split in ("counterfactual", "two_hands"):
        for row in (NO_AUDIO, SHUFFLED):
            if row in found.get(split, {}):
                above = found[split][OURS].above(found[split][row], exact)
                name = f"{split.replace('_', ' ')}: Ours - {row.label}, exact"
                lines.append([name, ">= 10", _points(above), _met(above.mean >= 0.1)])
    return markdown_table(["", "wanted", "measured", ""], lines)


def _points(difference: Estimate) -> str:
    mean, low, high = (100 * value for value in (difference.mean, difference.low, difference.high))
    return f"{mean:+.2f} ({low:+.1f} to {high:+.1f})"


def _met(is_met: bool) -> str:
    return "reached" if is_met else "**missed**"


def _count(found: Found) -> str:
    scores = found[OURS].scores
    seeds = f", {len(scores)} seeds of weights" if len(scores) > 1 else ""
    return f"{len(scores[0])} samples with a visible collision{seeds}"
