"""How a process that trains uses the memory that it frees."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Parameters of `mallopt`, from glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Lets the C library keep what is freed for the next step, as long as the process lives.

    Else glibc gives the memory of large tensors back after each use, and the system clears it page by page before the
    next: a fifth of the processor time of a step of the vision stage. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
