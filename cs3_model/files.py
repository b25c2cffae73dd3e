"""Files and folders that are either there as a whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INCOMPLETE = ".incomplete"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a hidden path beside `path`; what the block writes there, a file or a folder, gets its name at the end.

    If the block fails, what it wrote is removed and what was at `path` before is still there. A file takes the place
    of a file; a folder takes the place of nothing or of an empty folder. Processes that write the same path at the
    same time do not meet: the last one wins.

    Raises:
        OSError: if it cannot be renamed, for example because the block wrote nothing, or the folder cannot be made.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}{INCOMPLETE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(hidden)
    try:
        yield hidden
        _sync(hidden)
        hidden.replace(path)
    except BaseException:
        _remove(hidden)
        raise
    _sync(path.parent)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes a file that is there as a whole or not at all.

    Raises:
        ValueError: if it cannot be written: one line with file and reason. What was at `path` before is still there.
    """
    try:
        with written_whole(path) as hidden:
            hidden.write_bytes(content)
    except OSError as error:
        size = len(memoryview(content).cast("B")) / 1e6
        raise ValueError(f"{path} cannot be written ({size:.1f} MB): {error.strerror}") from None


def write_whole_text(path: Path, text: str) -> None:
    """The same with text, in UTF-8.

    Raises:
        ValueError: as `write_whole`.
    """
    write_whole(path, text.encode())


def file_digest(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file: which weights these are, whatever their name.

    Raises:
        ValueError: if it cannot be read: one line.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Puts a file, or the names in a folder, on the disk: a name survives a crash of the machine only after that."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
