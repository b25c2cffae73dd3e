"""What a process holds: memory, threads and descriptors, as Linux counts them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1.024e-3
