"""The official CSV files of EPIC-CS3 and Ego4D-CS3: one row per collision."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COLLISION_CLASSES: tuple[str, ...] = (
    "ceramic-glass", "ceramic-marble", "ceramic-only", "ceramic-wood", "cloth-only", "glass-marble", "glass-only",
    "metal-ceramic", "metal-cloth", "metal-glass", "metal-marble", "metal-only", "metal-paper", "metal-plastic",
    "metal-wood", "paper-only", "plastic-ceramic", "plastic-glass", "plastic-marble", "plastic-only",
    "plastic-paper", "plastic-wood", "wood-glass", "wood-only",
)  # fmt: skip
"""The pairs of materials that occur, without the suffix "-collision" that the files add."""

ANNOTATION_RATE_HZ = 24_000
"""The sample rate that `start_sample` and `stop_sample` count in, in both data sets."""

_CLOCK_TOLERANCE_S = 0.001
_REQUIRED_COLUMNS = (
    "annotation_id", "video_id", "start_timestamp", "stop_timestamp", "start_sample", "stop_sample", "class",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class CollisionRow:
    """One annotated collision."""

    annotation_id: str
    video_id: str
    start_s: float
    """Start of the sound, seconds from the start of the video."""
    stop_s: float
    """End of the sound."""
    materials: tuple[str, ...]
    """The distinct materials, sorted."""
    picture_s: float | None
    """Time of the annotated picture; None in training files. Pictures are found by this time, not by the frame
    columns: those of EPIC count 60 per second whatever the video's rate, and some of Ego4D are off by one."""
    source: str
    """File and line, for messages."""


def read_annotations(path: Path, *, has_pictures: bool) -> list[CollisionRow]:
    """Reads one file.

    Args:
        path: The CSV file.
        has_pictures: True for validation files, which name a picture for each collision.

    Raises:
        ValueError: for a missing file, column or value; the message names file and line, and what was expected.
    """
    required = (*_REQUIRED_COLUMNS, *(("selected_timestamp",) if has_pictures else ()))
    if not path.is_file():
        raise ValueError(f"{path} does not exist: it should be the annotation file with columns {', '.join(required)}")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        _check_columns(path, reader.fieldnames or (), required)
        rows = [_read_row(values, f"{path}, line {reader.line_num}", has_pictures) for values in reader]
    if not rows:
        raise ValueError(f"{path}, line 2: expected at least one collision, got none")
    _check_unique(rows)
    return rows


def material_pair(collision_class: str) -> tuple[str, ...]:
    """The distinct materials, sorted, of a class such as "metal-wood-collision" or "metal-only".

    Raises:
        ValueError: if there is no such class.
    """
    name = collision_class.removesuffix("-collision")
    if name not in COLLISION_CLASSES:
        raise ValueError(f"class must be one of {', '.join(COLLISION_CLASSES)} (or with -collision), got '{name}'")
    return tuple(sorted(set(name.split("-")) - {"only"}))


def _check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise ValueError(
            f"{path}, line 1: expected a column '{missing[0]}', got the columns {', '.join(columns)}; "
            f"expected {', '.join(required)}"
        )


def _check_unique(rows: Sequence[CollisionRow]) -> None:
    first: dict[str, CollisionRow] = {}
    for row in rows:
        if (earlier := first.setdefault(row.annotation_id, row)) is not row:
            raise ValueError(f"{row.source}: annotation_id '{row.annotation_id}' is already used in {earlier.source}")


def _read_row(found: Mapping[str, str | None], source: str, has_pictures: bool) -> CollisionRow:
    try:
        values = {column: value for column, value in found.items() if value is not None}
        if len(values) < len(found) or None in found:
            raise ValueError("expected as many values as columns")
        start_s, stop_s = _seconds(values, "start_timestamp"), _seconds(values, "stop_timestamp")
        if not start_s < stop_s:
            raise ValueError(f"expected stop_timestamp after start_timestamp, got {start_s} s to {stop_s} s")
        _check_samples(values, "start", start_s)
        _check_samples(values, "stop", stop_s)
        return CollisionRow(
            annotation_id=_name(values, "annotation_id"),
            video_id=_name(values, "video_id"),
            start_s=start_s,
            stop_s=stop_s,
            materials=material_pair(values["class"]),
            picture_s=_seconds(values, "selected_timestamp") if has_pictures else None,
            source=source,
        )
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _name(values: Mapping[str, str], column: str) -> str:
    """A value that becomes part of file names."""
    name = values[column]
    if not name or name != Path(name).name or name.startswith("."):
        raise ValueError(f"expected {column} to be a plain name, got '{name}'")
    return name


def _seconds(values: Mapping[str, str], column: str) -> float:
    try:
        hours, minutes, seconds = values[column].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        raise ValueError(f"expected {column} as HH:MM:SS.mmm, got '{values[column]}'") from None


def _check_samples(values: Mapping[str, str], edge: str, time_s: float) -> None:
    column = f"{edge}_sample"
    expected = round(time_s * ANNOTATION_RATE_HZ)
    try:
        sample = int(values[column])
    except ValueError:
        raise ValueError(f"expected {column} to be a whole number, got '{values[column]}'") from None
    if abs(sample - expected) > _CLOCK_TOLERANCE_S * ANNOTATION_RATE_HZ:
        raise ValueError(
            f"expected {column} near {expected} ({edge}_timestamp at {ANNOTATION_RATE_HZ} Hz), got {sample}"
        )
