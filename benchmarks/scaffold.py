"""What the benchmarks share: the line that says where a figure comes from, tables, and clocks.

They run as `scripts/run python benchmarks/NAME.py`; each is one typer command that prints Markdown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def where(*packages: str) -> str:
    """One line for the record: the machine and its load, versions of Python and of these packages, and the commit."""
    # Imported here: not every process that is measured should hold PyTorch, which `machine` asks.
    from cs3_model.provenance import machine, package_versions, source_commit

    threads = os.environ.get("OMP_NUM_THREADS", "all")
    versions = [f"{name} {version}" for name, version in package_versions(*packages).items()]
    load = f"load {os.getloadavg()[0]:.1f}"
    return ", ".join([machine(), f"OMP_NUM_THREADS {threads}", load, *versions, f"commit {source_commit()}"])


def print_row(*cells: str) -> None:
    """Prints one row of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def print_header(*cells: str) -> None:
    """Prints the head of a Markdown table."""
    print_row(*cells)
    print("|" + "---|" * len(cells), flush=True)


def percentiles(values: Sequence[float], shares: Sequence[float] = (50, 90, 99), digits: int = 1) -> list[str]:
    """The percentiles of a measurement, as cells of a table."""
    return [f"{value:.{digits}f}" for value in np.percentile(values, shares)]


@dataclass(kw_only=True, slots=True)
class Elapsed:
    """How long something took; filled when it is done."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Processor time of all threads of this process, seconds: other load on the machine hardly moves it."""


@contextmanager
def elapsed() -> Iterator[Elapsed]:
    """Measures what happens inside the `with`."""
    measured = Elapsed()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    try:
        yield measured
    finally:
        measured.cpu_s = time.process_time() - cpu_s
        measured.wall_s = time.perf_counter() - wall_s


class Stopwatch:
    """Adds up the processor time of a function of a module or class, from now on, in `seconds`.

    A profiler of every call would cost a fifth more.

    Args:
        owner: The module or class.
        name: Its function.
        clock: `time.thread_time` counts the calling thread alone.
    """

    def __init__(self, owner: Any, name: str, clock: Callable[[], float] = time.process_time) -> None:
        self.seconds = 0.0
        work = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            start_s = clock()
            try:
                return work(*arguments, **options)
            finally:
                self.seconds += clock() - start_s

        setattr(owner, name, timed)
