"""Reads recordings of Rerun back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cs3_ros.viewers.rerun_log import TIMELINE


def rows_of(path: Path, entity: str) -> list[tuple[int, dict[str, Any]]]:
    """The times and the values that a recording has for an entity, in order of time."""
    from rerun.chunk import RrdReader

    rows = []
    for chunk in RrdReader(str(path)).stream():
        if chunk.entity_path == entity and not chunk.is_static:
            table = chunk.to_record_batch()
            columns = {name.partition(":")[2]: table[name].to_pylist() for name in table.schema.names if ":" in name}
            for number, time in enumerate(table[TIMELINE].cast("int64").to_pylist()):
                rows.append((time, {name: values[number] for name, values in columns.items()}))
    return sorted(rows, key=lambda row: row[0])
