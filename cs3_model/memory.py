"""Memory of the process, given back to the system once unusually large work is done."""

from __future__ import annotations

import ctypes

LARGE_PIXELS = 9_000_000
"""Pictures beyond this, which is more than 4K, are the exception for which memory is worth giving back."""


def give_back_memory() -> None:
    """Has glibc return what it keeps of freed memory, which after large pictures is gigabytes; elsewhere does nothing."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # no glibc
        return
    trim(0)
