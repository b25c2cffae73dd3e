"""Ground truth of a bag: from a topic of it, or from a file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cs3_model.types import Reason
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.conversions.collisions import candidates_from_msg
from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns
from cs3_ros.replay.reading.bag_inputs import typestore_for
from cs3_ros.replay.records import read_events
from cs3_ros.replay.rle import Segmentation, encode_mask

TRUTH_TYPE = "cs3_msgs/msg/Collision"
TRUTH_SUFFIXES = (".jsonl", ".csv")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrueCollision:
    """One collision that happened."""

    onset_ns: int
    """On the clock of the audio's stamps, nanoseconds."""
    frame_ns: int | None = None
    """Stamp of the image that the masks belong to."""
    masks: tuple[Segmentation, ...] = ()
    """Masks of the visible objects; none where only the onset is known, or nothing in view collided."""
    not_in_view: bool = False
    """Whether nothing in view collided, so that no masks are right."""


def truth_near(truth: Sequence[TrueCollision], onset_ns: int, *, window_ms: float) -> TrueCollision | None:
    """The true collision nearest to an onset, None if none is within `window_ms`."""
    nearest = min(truth, key=lambda collision: abs(collision.onset_ns - onset_ns), default=None)
    return nearest if nearest and abs(nearest.onset_ns - onset_ns) * 1000 <= window_ms * NS_PER_S else None


def is_truth_file(source: str) -> bool:
    """Whether ground truth is in a file; otherwise it is the name of a topic."""
    return source.endswith(TRUTH_SUFFIXES) or Path(source).is_file()


def read_truth(bag: RecordedBag, source: str) -> list[TrueCollision]:
    """Reads ground truth, in order of the onsets.

    Args:
        bag: An open bag.
        source: A topic of cs3_msgs/Collision; or a .jsonl file like events.jsonl; or a .csv file with a column
            onset_s, seconds since the bag's first message.

    Raises:
        ValueError: if there is no such topic or file, or nothing in it.
    """
    if is_truth_file(source):
        try:
            truth = _from_csv(Path(source), bag.start_ns) if source.endswith(".csv") else _from_jsonl(Path(source))
        except OSError as error:
            raise ValueError(f"ground truth {source} cannot be read: {error.strerror}") from None
    else:
        truth = _from_topic(bag, source if source.startswith("/") else f"/{source}")
    if not truth:
        raise ValueError(f"ground truth {source} has no collision")
    return sorted(truth, key=lambda collision: collision.onset_ns)


def _from_topic(bag: RecordedBag, name: str) -> list[TrueCollision]:
    topic = bag.topics.get(name)
    if topic is None or topic.type_name != TRUTH_TYPE:
        fitting = [other for other, entry in bag.topics.items() if entry.type_name == TRUTH_TYPE]
        there = f"has the type {topic.type_name}" if topic else "is not in the bag"
        choice = f"choose {' or '.join(fitting)}" if fitting else f"the bag has no topic of {TRUTH_TYPE}"
        raise ValueError(f"ground truth {name} {there}: {choice}, or give a .jsonl or .csv file")
    typestore = typestore_for(bag, (name,))
    truth = []
    for _, _, data in bag.messages({name}):
        message: Any = typestore.deserialize_cdr(data, TRUTH_TYPE)
        masks, _ = candidates_from_msg(message)
        truth.append(
            TrueCollision(
                onset_ns=stamp_to_ns(message.onset),
                frame_ns=stamp_to_ns(message.header.stamp),
                masks=tuple(encode_mask(candidate.mask) for candidate in masks),
                not_in_view=message.reason == Reason.NOT_IN_VIEW,
            )
        )
    return truth


def _from_jsonl(path: Path) -> list[TrueCollision]:
    return [
        TrueCollision(
            onset_ns=event.onset_ns,
            frame_ns=event.frame_ns,
            masks=tuple(mask.segmentation for mask in event.masks),
            not_in_view=event.reason == Reason.NOT_IN_VIEW,
        )
        for event in read_events(path)
    ]


def _from_csv(path: Path, start_ns: int) -> list[TrueCollision]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if "onset_s" not in (rows.fieldnames or ()):
            raise ValueError(f"ground truth {path} needs a column onset_s, it has {', '.join(rows.fieldnames or ())}")
        try:
            return [TrueCollision(onset_ns=start_ns + round(float(row["onset_s"]) * NS_PER_S)) for row in rows]
        except (TypeError, ValueError):
            raise ValueError(f"ground truth {path}, line {rows.line_num}: onset_s is no number") from None
