"""What only one process of a machine may use at a time, also where two runs of the tests go on at once."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LAST_DOMAIN_ID = 101
"""Domain ids above it would collide with the ephemeral ports of Linux."""
_locks: list[int] = []


def claim_domain_id() -> int:
    """Returns a ROS domain id from 1 to 101 that no other process holds, until this process ends.

    Raises:
        RuntimeError: if all are taken.
    """
    first = os.getpid() % LAST_DOMAIN_ID
    for step in range(LAST_DOMAIN_ID):
        number = 1 + (first + step) % LAST_DOMAIN_ID
        path = Path(tempfile.gettempdir()) / f"cs3_tests_domain_{number}_of_user_{os.getuid()}.lock"
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
        else:
            _locks.append(lock)
            return number
    raise RuntimeError(f"all {LAST_DOMAIN_ID} ROS domain ids are in use by other runs of the tests")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other process is inside with the same file; makes the file where it is missing."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
