"""What a process holds: memory, threads and descriptors, as Linux counts them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import memory_now


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the process has."""

    resident_mb: float
    threads: int
    descriptors: int


def held(pid: int) -> Held:
    """Counts it now."""
    folder = Path(f"/proc/{pid}")
    return Held(
        resident_mb=resident_mb(pid),
        threads=len(list((folder / "task").iterdir())),
        descriptors=len(list((folder / "fd").iterdir())),
    )


def resident_mb(pid: int) -> float:
    """Resident memory, millions of bytes."""
    return memory_now(pid).resident * 2**20 / 1e6
