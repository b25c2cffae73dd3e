"""How much memory a process has, and how much of it the import of PyTorch alone takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

_FIELDS = ("VmRSS", "RssAnon", "RssFile", "VmHWM")


class Memory(NamedTuple):
    """Resident memory of a process, MiB."""

    resident: float
    anonymous: float
    """The process's own: heap, stacks, libraries' tables after relocation."""
    files: float
    """Mapped from files, mostly libraries' code: shared between processes, and given up under pressure."""
    peak: float
    """Most that was ever resident."""

    def __str__(self) -> str:
        return f"{self.resident:.0f} MiB ({self.anonymous:.0f} anonymous, {self.files:.0f} from files)"


def memory_now(process: int | str = "self") -> Memory:
    """Returns the memory of this process, or that with another id (Linux)."""
    lines = (line.split(":") for line in Path(f"/proc/{process}/status").read_text().splitlines())
    kib = {name: float(rest[0].split()[0]) for name, *rest in lines if name in _FIELDS}
    return Memory(*(kib[name] / 1024 for name in _FIELDS))


def memory_of_torch() -> Memory:
    """Returns the memory of a fresh process that imports PyTorch and does nothing."""
    code = "import json, torch; from benchmarks.memory import memory_now; print(json.dumps(memory_now()))"
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return Memory(*json.loads(done.stdout))
