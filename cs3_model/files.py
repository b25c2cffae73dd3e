"""Files that are either there as a whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

INCOMPLETE = ".incomplete"


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes a hidden file, makes sure that it is on the disk, and gives it its name.

    Raises:
        ValueError: if it cannot be written: one line with file and reason. What was at `path` before is still there.
    """
    hidden = path.with_name(f".{path.name}{INCOMPLETE}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hidden.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        size = len(memoryview(content).cast("B")) / 1e6
        raise ValueError(f"{path} cannot be written ({size:.1f} MB): {error.strerror}") from None


def file_digest(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file: which weights these are, whatever their name.

    Raises:
        ValueError: if it cannot be read: one line.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    """A new name survives a crash of the machine only once its folder is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
