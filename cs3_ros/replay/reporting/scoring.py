"""How well the events of bags match their ground truth: onsets one to one, then the masks of what was matched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from mir_eval.util import match_events

from cs3_model.metrics import MaskScore, score_masks, summarise
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.reading.ground_truth import TrueCollision
from cs3_ros.replay.records import EventRecord
from cs3_ros.replay.rle import decode_mask

WINDOWS_MS = (25, 50)
"""An onset is found if an event is this near. Masks are compared where the wider window matches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnsetCounts:
    """Found, invented and missed onsets."""

    hits: int
    spurious: int
    missed: int

    def metrics(self) -> dict[str, float]:
        """Precision, recall and F-measure, 0 where nothing is there to be found."""
        found, true = self.hits + self.spurious, self.hits + self.missed
        return {
            **asdict(self),
            "precision": self.hits / max(1, found),
            "recall": self.hits / max(1, true),
            "f_measure": 2 * self.hits / max(1, found + true),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class NotInViewCounts:
    """What was heard and said of true collisions of which nothing is in view."""

    heard: int
    """An event matches."""
    without_masks: int
    """The event that matches has no mask, as is right."""
    missed: int
    """No event matches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrueCollisionScore:
    """What was found of one true collision with visible objects."""

    onset_ns: int
    event_id: int | None
    """The matched event, None where it was missed."""
    same_frame: bool
    """Whether the event's masks belong to the image of the true masks; if not, motion costs some overlap."""
    score: MaskScore


@dataclass(frozen=True, kw_only=True, slots=True)
class BagScore:
    """All scores of one bag."""

    onsets: dict[int, OnsetCounts]
    """By window, milliseconds."""
    collisions: tuple[TrueCollisionScore, ...]
    not_in_view: NotInViewCounts
    nearest_ms: float | None
    """The smallest distance between an event and a true onset, signed; None without events."""

    def as_json(self) -> dict[str, Any]:
        """For metrics.json, and `from_json`."""
        return {
            "onsets": {str(window): asdict(counts) for window, counts in self.onsets.items()},
            "collisions": [asdict(collision) for collision in self.collisions],
            "not_in_view": asdict(self.not_in_view),
            "nearest_ms": self.nearest_ms,
        }

    @staticmethod
    def from_json(fields: dict[str, Any]) -> BagScore:
        """The inverse of `as_json`."""
        return BagScore(
            onsets={int(window): OnsetCounts(**counts) for window, counts in fields["onsets"].items()},
            collisions=tuple(
                TrueCollisionScore(**{**collision, "score": MaskScore.from_fields(collision["score"])})
                for collision in fields["collisions"]
            ),
            not_in_view=NotInViewCounts(**fields["not_in_view"]),
            nearest_ms=fields["nearest_ms"],
        )


def score_bag(events: Sequence[EventRecord], truth: Sequence[TrueCollision]) -> BagScore:
    """Scores the events of one bag.

    Raises:
        ValueError: if true masks have another size than the images.
    """
    true_s = np.array([collision.onset_ns for collision in truth]) / NS_PER_S
    found_s = np.array([event.onset_ns for event in events]) / NS_PER_S
    onsets: dict[int, OnsetCounts] = {}
    matched: list[tuple[int, int]] = []
    for window_ms in WINDOWS_MS:
        matched = match_events(true_s, found_s, window_ms / 1000) if events else []
        onsets[window_ms] = OnsetCounts(
            hits=len(matched), spurious=len(events) - len(matched), missed=len(truth) - len(matched)
        )
    event_of = {true: events[found] for true, found in matched}
    unseen = [event_of.get(index) for index, collision in enumerate(truth) if collision.not_in_view]
    distances = (found_s[:, None] - true_s[None]).ravel()
    return BagScore(
        onsets=onsets,
        collisions=tuple(
            _score_collision(collision, event_of.get(index)) for index, collision in enumerate(truth) if collision.masks
        ),
        not_in_view=NotInViewCounts(
            heard=sum(event is not None for event in unseen),
            without_masks=sum(event is not None and not event.masks for event in unseen),
            missed=sum(event is None for event in unseen),
        ),
        nearest_ms=round(1000 * float(distances[np.abs(distances).argmin()]), 1) if events else None,
    )


def pooled_metrics(scores: Iterable[tuple[str, BagScore]]) -> dict[str, Any]:
    """The metrics of several bags together, each a name and a score: shares in [0, 1], with bootstrap intervals.

    "masks" counts a missed onset as no overlap; "masks_of_found_onsets" leaves it out. Whole bags are resampled where
    there are several. "not_in_view" counts true collisions of which nothing is in view.
    """
    scores = list(scores)
    onsets = {
        f"{window}_ms": OnsetCounts(
            **{
                name: sum(getattr(score.onsets[window], name) for _, score in scores)
                for name in ("hits", "spurious", "missed")
            }
        ).metrics()
        for window in WINDOWS_MS
    }
    rated = [(name, collision) for name, score in scores for collision in score.collisions]
    found = [(name, collision) for name, collision in rated if collision.event_id is not None]
    return {
        "onsets": onsets,
        "masks": _mask_metrics(rated),
        "masks_of_found_onsets": _mask_metrics(found),
        "not_in_view": {
            name: sum(getattr(score.not_in_view, name) for _, score in scores)
            for name in ("heard", "without_masks", "missed")
        },
    }


def _score_collision(truth: TrueCollision, event: EventRecord | None) -> TrueCollisionScore:
    true_masks = [decode_mask(mask) for mask in truth.masks]
    found_masks = [decode_mask(mask.segmentation) for mask in event.masks] if event is not None else []
    return TrueCollisionScore(
        onset_ns=truth.onset_ns,
        event_id=event.event_id if event is not None else None,
        same_frame=event is not None and event.frame_ns == truth.frame_ns,
        score=score_masks(found_masks, true_masks),
    )


def _mask_metrics(rated: Sequence[tuple[str, TrueCollisionScore]]) -> dict[str, Any] | None:
    if not rated:
        return None
    several = len({name for name, _ in rated}) > 1
    groups = [name if several else str(index) for index, (name, _) in enumerate(rated)]
    summary = asdict(summarise([collision.score for _, collision in rated], groups))
    pairs = [collision.score for _, collision in rated if collision.score.num_true == 2]
    return {
        **summary,
        "exact_pair": sum(score.is_exact for score in pairs) / len(pairs) if pairs else None,
        "num_pairs": len(pairs),
        "num_of_another_frame": sum(not collision.same_frame for _, collision in rated),
    }
