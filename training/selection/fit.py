"""Trains the selection on events, clean and corrupted, and calibrates it on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cs3_model.metrics import EXACT_IOU
from cs3_model.moment.evidence import SelectionEvidence, gather
from cs3_model.moment.selection import Calibration, LearnedSelection, LogisticLine, SelectionNetwork
from training.selection.corruption import CorruptionRates, corrupted
from training.selection.selection_events import SelectionEvent

_BATCH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class FitConfig:
    """How the selection is trained.

    Raises:
        ValueError: if a field is out of its range.
    """

    draws: int = 4
    """Corrupted draws of every event, beside the event as it is."""
    epochs: int = 25
    learning_rate: float = 2e-3
    """At its highest, with a cosine schedule."""
    weight_decay: float = 1e-3
    iou_weight: float = 1.0
    """Of the expected IoU's loss beside that of the choice."""

    def __post_init__(self) -> None:
        if self.draws < 0 or self.epochs < 1:
            raise ValueError(f"draws must be 0 or more and epochs 1 or more, got {self.draws} and {self.epochs}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lesson:
    """The evidence of one event and what is right about it."""

    evidence: SelectionEvidence
    ious: np.ndarray
    """Float32 [K + P]: the score of each option, single candidates first."""
    is_exact: np.ndarray
    """Bool [K + P]: whether the option is exactly right."""
    in_view: bool
    """Whether anything in view collided."""

    def index_of(self, option: tuple[int, ...]) -> int:
        """Where an option of one or two candidates stands among the singles and pairs."""
        if len(option) == 1:
            return option[0]
        (row,) = np.flatnonzero((self.evidence.pairs_P2 == option).all(axis=1))
        return len(self.evidence.candidates_KD) + int(row)


def lesson_of(event: SelectionEvent) -> Lesson | None:
    """Measures the evidence of an event and the score of each option; None without any candidate."""
    if not event.candidates.roles:
        return None
    evidence = gather(event.candidates, event.before, event.after)
    true_masks = event.true_masks[event.true_masks.any(axis=(1, 2))]
    ious, is_exact = option_scores(event.candidates.masks, evidence.pairs_P2, true_masks)
    return Lesson(evidence=evidence, ious=ious, is_exact=is_exact, in_view=bool(len(true_masks)))


def option_scores(
    masks: npt.NDArray[np.bool_], pairs_P2: npt.NDArray[np.intp], true_masks: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """`MaskScore.iou` and `MaskScore.is_exact` of all options at once, float32 and bool [K + P], singles first.

    Args:
        masks: Of the candidates, bool [K, h, w].
        pairs_P2: Which pairs there are.
        true_masks: Up to two, none of them empty; where there is none, nothing is right.
    """
    number = len(masks) + len(pairs_P2)
    if not len(true_masks):
        return np.zeros(number, np.float32), np.zeros(number, bool)
    flat, true = (values.reshape(len(values), -1).astype(np.float32) for values in (masks, true_masks))
    shared = flat @ true.T
    ious_KT = shared / np.maximum(flat.sum(1)[:, None] + true.sum(1)[None] - shared, 1.0)
    singles, one, other = ious_KT.max(axis=1), ious_KT[pairs_P2[:, 0]], ious_KT[pairs_P2[:, 1]]
    if len(true_masks) == 1:
        pairs = np.maximum(one, other)[:, 0] / 2
        exact = np.concatenate([singles >= EXACT_IOU, np.zeros(len(pairs), bool)])
        return np.concatenate([singles, pairs]).astype(np.float32), exact
    ways = np.stack([np.stack([one[:, 0], other[:, 1]]), np.stack([one[:, 1], other[:, 0]])])  # [2 ways, 2 masks, P]
    better = ways.sum(axis=1).argmax(axis=0)
    chosen = ways[better, :, np.arange(len(pairs_P2))]
    exact = np.concatenate([np.zeros(len(singles), bool), chosen.min(axis=1, initial=1.0) >= EXACT_IOU])
    return (np.concatenate([singles, chosen.sum(axis=1)]) / 2).astype(np.float32), exact


def lessons_of(
    events: Sequence[SelectionEvent], draws: int, rng: np.random.Generator, rates: CorruptionRates | None = None
) -> list[Lesson]:
    """Every event as it is, and corrupted that often."""
    rates = rates or CorruptionRates()
    drawn = chain(events, (corrupted(event, rng, rates) for _ in range(draws) for event in events))
    total = (1 + draws) * len(events)
    lessons = (lesson_of(event) for event in tqdm(drawn, desc="evidence", total=total, disable=total < 100))
    return [lesson for lesson in lessons if lesson is not None]


def fit(lessons: Sequence[Lesson], config: FitConfig, seed: int) -> SelectionNetwork:
    """Trains a network; the same lessons, configuration and seed give the same weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = SelectionNetwork()
    _standardise(network, lessons)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * -(-len(lessons) // _BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with tqdm(total=steps, desc="selection", disable=steps < 100) as bar:
        for _ in range(config.epochs):
            for batch in _batches(lessons, rng):
                loss = batch.loss(network, config.iou_weight)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    return network.eval()


def calibrate(networks: Sequence[SelectionNetwork], lessons: Sequence[Lesson]) -> Calibration:
    """Fits how sure the networks may be, to events that they did not learn from.

    Raises:
        ValueError: if there is no event with a collision in view, or none without.
    """
    selection = LearnedSelection(networks, name="not calibrated")
    choices = [selection.choose(lesson.evidence) for lesson in lessons]
    seen = [lesson.in_view for lesson in lessons]
    if not 0 < sum(seen) < len(seen):
        raise ValueError("calibration needs events with a collision in view and without")
    shares, right = [], []
    for lesson, choice in zip(lessons, choices, strict=True):
        if lesson.in_view:
            shares.append(choice.probability / (1.0 - choice.not_in_view))
            right.append(bool(lesson.is_exact[lesson.index_of(choice.option)]))
    not_in_view = fit_line([choice.not_in_view for choice in choices], [not value for value in seen])
    return Calibration(right=fit_line(shares, right), not_in_view=not_in_view)


def fit_line(probabilities: Sequence[float], happened: Sequence[bool]) -> LogisticLine:
    """The line through the logits under which what happened is likeliest, drawn a little towards no change."""
    logits = torch.logit(torch.tensor(probabilities, dtype=torch.float64), eps=1e-6)
    wanted = torch.tensor(happened, dtype=torch.float64)
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(line[0] * logits + line[1], wanted, reduction="sum")
        loss = loss + (line[0] - 1.0) ** 2 + line[1] ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    slope, offset = line.detach().tolist()
    return LogisticLine(slope=slope, offset=offset)


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Lessons side by side."""

    inputs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
    event_of_option: Tensor
    ious: Tensor
    targets: Tensor
    other_targets: Tensor
    """[N, 2]: not in view, not among the candidates."""

    @staticmethod
    def of(lessons: Sequence[Lesson]) -> _Batch:
        counts = [len(item.evidence.candidates_KD) for item in lessons]
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        events = np.repeat(np.arange(len(lessons)), counts)
        pair_counts = [len(item.evidence.pairs_P2) for item in lessons]
        pairs = np.concatenate([item.evidence.pairs_P2 + start for item, start in zip(lessons, starts, strict=True)])
        pair_events = np.repeat(np.arange(len(lessons)), pair_counts)
        targets = [_targets(item) for item in lessons]
        singles = [values[:count] for (values, _), count in zip(targets, counts, strict=True)]
        doubles = [values[count:] for (values, _), count in zip(targets, counts, strict=True)]
        single_ious = [item.ious[:count] for item, count in zip(lessons, counts, strict=True)]
        double_ious = [item.ious[count:] for item, count in zip(lessons, counts, strict=True)]
        return _Batch(
            inputs=(
                torch.from_numpy(np.concatenate([item.evidence.candidates_KD for item in lessons])),
                torch.from_numpy(events),
                torch.from_numpy(pairs),
                torch.from_numpy(np.concatenate([item.evidence.pairs_PE for item in lessons])),
                torch.from_numpy(np.stack([item.evidence.scene_G for item in lessons])),
            ),
            event_of_option=torch.from_numpy(np.concatenate([events, pair_events])),
            ious=torch.from_numpy(np.concatenate(single_ious + double_ious)),
            targets=torch.from_numpy(np.concatenate(singles + doubles)),
            other_targets=torch.from_numpy(np.stack([others for _, others in targets])),
        )

    def loss(self, network: SelectionNetwork, iou_weight: float) -> Tensor:
        logits, others, ious = network(*self.inputs)
        number = len(others)
        total = _logsumexp_by(torch.cat([logits, others.flatten()]), torch.cat([self.event_of_option, _twice(number)]))
        log_option = logits - total[self.event_of_option]
        log_other = others - total[:, None]
        choice = -((self.targets * log_option).sum() + (self.other_targets * log_other).sum()) / number
        expected = nn.functional.binary_cross_entropy_with_logits(ious, self.ious)
        return choice + iou_weight * expected


def _targets(lesson: Lesson) -> tuple[np.ndarray, np.ndarray]:
    """Where the probability of the options, of *not in view* and of *not among the candidates* should lie."""
    options, others = np.zeros(len(lesson.ious), np.float32), np.zeros(2, np.float32)
    if not lesson.in_view:
        others[0] = 1.0
    elif lesson.is_exact.any():
        # Of several right options the better one, softly: they are the same objects with other outlines.
        weights = np.where(lesson.is_exact, np.exp(8.0 * (lesson.ious - EXACT_IOU)), 0.0)
        options[:] = weights / weights.sum()
    else:
        others[1] = 1.0
    return options, others


def _batches(lessons: Sequence[Lesson], rng: np.random.Generator) -> Iterator[_Batch]:
    order = rng.permutation(len(lessons))
    for start in range(0, len(order), _BATCH):
        yield _Batch.of([lessons[index] for index in order[start : start + _BATCH]])


def _standardise(network: SelectionNetwork, lessons: Sequence[Lesson]) -> None:
    tables = {
        "candidate": np.concatenate([item.evidence.candidates_KD for item in lessons]),
        "pair": np.concatenate([item.evidence.pairs_PE for item in lessons]),
        "scene": np.stack([item.evidence.scene_G for item in lessons]),
    }
    for name, table in tables.items():
        getattr(network, f"{name}_mean").copy_(torch.from_numpy(table.mean(axis=0)))
        getattr(network, f"{name}_scale").copy_(torch.from_numpy(np.maximum(table.std(axis=0), 1e-3)))


def _twice(number: int) -> Tensor:
    return torch.arange(number).repeat_interleave(2)


def _logsumexp_by(values: Tensor, groups: Tensor) -> Tensor:
    """[N]: the logarithm of the sum of exponentials of each group's values; every group has one."""
    number = int(groups.max()) + 1
    highest = values.new_full((number,), -torch.inf).scatter_reduce(0, groups, values, "amax").detach()
    sums = values.new_zeros(number).scatter_add(0, groups, (values - highest[groups]).exp())
    return sums.log() + highest
