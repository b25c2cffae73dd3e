"""What a replay found, one record per onset: the lines of events.jsonl and timings.jsonl.

Events and the times that it took to find them are kept apart, so that the events of two replays are equal to the byte.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cs3_model.overlay import role_name
from cs3_model.steps import Event
from cs3_model.types import BoxXYXY, Candidate, CollisionResult, Reason, Role, Verdict
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.rle import Segmentation, decode_mask, encode_mask

_DIGITS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskRecord:
    """One candidate, accepted or rejected."""

    role: int
    """Flags of `cs3_model.types.Role`, as in cs3_msgs/CollisionMask."""
    role_name: str
    """The same in words."""
    score: float
    box_xyxy: tuple[float, ...]
    """Tight box, pixels; the maximum edges are exclusive."""
    contact_xy: tuple[float, ...] | None
    """Pixel nearest to the other accepted mask."""
    reason: str
    segmentation: Segmentation
    """The mask, COCO run-length encoded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRecord:
    """How one onset ended."""

    event_id: int
    """Counts the onsets of the bag, from 0."""
    onset_ns: int
    """On the clock of the audio's stamps, nanoseconds."""
    onset_s: float
    """The same since the first message of the bag, seconds."""
    strength_db: float
    frame_ns: int | None
    """Stamp of the image that was used; None where none was."""
    verdict: int
    """As in cs3_msgs/Collision: the number of objects."""
    reason: str
    detail: str
    confidence: float | None = None
    """Calibrated probability that the answer is right; None where the preset cannot say."""
    masks: tuple[MaskRecord, ...]
    rejected: tuple[MaskRecord, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long one event took."""

    event_id: int
    stage_ms: dict[str, float]
    """Time in each stage of the pipeline, milliseconds."""
    after_last_sample_ms: float | None = None
    """From the arrival of the last audio sample that was needed to the publication; only of a live replay."""
    after_onset_ms: float | None = None
    """From the onset to the publication, milliseconds of the wall clock; only of a live replay."""


def record_event(
    event_id: int, event: Event, result: CollisionResult, *, frame_ns: int | None, start_ns: int
) -> EventRecord:
    """Returns the record of a result; `start_ns` is the time of the bag's first message."""
    return EventRecord(
        event_id=event_id,
        onset_ns=event.onset_ns,
        onset_s=round((event.onset_ns - start_ns) / NS_PER_S, 6),
        strength_db=round(float(event.strength_db), _DIGITS),
        frame_ns=frame_ns,
        verdict=int(result.verdict),
        reason=str(result.reason),
        detail=result.detail,
        confidence=None if math.isnan(result.confidence) else round(float(result.confidence), _DIGITS),
        masks=tuple(map(_record_mask, result.masks)),
        rejected=tuple(map(_record_mask, result.rejected)),
    )


def result_of(record: EventRecord) -> CollisionResult:
    """Returns the result that a record tells of, with decoded masks."""
    return CollisionResult(
        verdict=Verdict(record.verdict),
        reason=Reason(record.reason),
        detail=record.detail,
        confidence=math.nan if record.confidence is None else record.confidence,
        masks=tuple(map(_candidate, record.masks)),
        rejected=tuple(map(_candidate, record.rejected)),
    )


def write_lines(path: Path, records: Iterable[EventRecord | Timing]) -> None:
    """Writes one JSON object per line."""
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(asdict(record)) + "\n")


def read_events(path: Path) -> list[EventRecord]:
    """Reads what `write_lines` wrote.

    Raises:
        ValueError: if a line is no event; it says which.
    """
    events = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            events.append(_event(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}, line {number} is no event as in events.jsonl: {error}") from None
    return events


def summarise_timings(timings: Sequence[Timing]) -> dict[str, dict[str, float]]:
    """Percentiles of the pipeline's time per event and, after a live replay, of the latencies to the publication."""
    segmented = [timing for timing in timings if timing.stage_ms]
    series: dict[str, list[float | None]] = {
        "computing_per_event": [sum(timing.stage_ms.values()) for timing in segmented],
        "from_last_sample_to_publication": [timing.after_last_sample_ms for timing in segmented],
        "from_onset_to_publication": [timing.after_onset_ms for timing in segmented],
    }
    known = {name: [value for value in values if value is not None] for name, values in series.items()}
    return {
        name: {
            **{f"p{share}": round(float(np.percentile(values, share)), 3) for share in (50, 90, 99)},
            "count": len(values),
        }
        for name, values in known.items()
        if values
    }


def _event(fields: dict[str, Any]) -> EventRecord:
    masks = {name: tuple(_mask(mask) for mask in fields[name]) for name in ("masks", "rejected")}
    return EventRecord(**{**fields, **masks})


def _mask(fields: dict[str, Any]) -> MaskRecord:
    contact = fields["contact_xy"]
    return MaskRecord(
        **{**fields, "box_xyxy": tuple(fields["box_xyxy"]), "contact_xy": tuple(contact) if contact else None}
    )


def _record_mask(candidate: Candidate) -> MaskRecord:
    return MaskRecord(
        role=candidate.role.value,
        role_name=role_name(candidate.role),
        score=round(float(candidate.score), _DIGITS),
        box_xyxy=tuple(map(float, candidate.box_xyxy)),
        contact_xy=tuple(map(float, candidate.contact_xy)) if candidate.contact_xy is not None else None,
        reason=candidate.reason,
        segmentation=encode_mask(candidate.mask),
    )


def _candidate(record: MaskRecord) -> Candidate:
    box: BoxXYXY = record.box_xyxy  # type: ignore[assignment]
    return Candidate(
        role=Role(record.role),
        mask=decode_mask(record.segmentation),
        box_xyxy=box,
        score=record.score,
        reason=record.reason,
        contact_xy=record.contact_xy,  # type: ignore[arg-type]
    )
