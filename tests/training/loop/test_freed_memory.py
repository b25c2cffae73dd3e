"""Memory that a training process frees stays its own."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")

COUNT_PAGES = """
import resource, sys
from training.loop.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def cleared():
    bytearray(64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = cleared()
for _ in range(5):
    last = cleared()
print((last - first) / 5)
"""


def pages_per_use(what: str) -> float:
    """Pages that the system clears each time that a process uses and frees 64 MiB."""
    done = subprocess.run([sys.executable, "-c", COUNT_PAGES, what], capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_pages_are_cleared_once() -> None:
    assert pages_per_use("keep") < 100 < pages_per_use("leave")
