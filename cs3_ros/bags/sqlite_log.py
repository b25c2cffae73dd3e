"""Messages that a killed recorder left in SQLite's write-ahead log, beside a .db3 that does not have them yet."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def has_unmerged_log(path: Path) -> bool:
    """Whether a .db3 file has such a log; a recorder that ends as it should leaves none."""
    log = _log_of(path)
    return log.is_file() and log.stat().st_size > 0


def copy_with_log(path: Path, folder: Path) -> Path:
    """Copies a .db3 file and merges its log into the copy; the files of the bag stay as they are.

    Returns:
        The copy, with as much of the log as was written whole.

    Raises:
        OSError: if there is no room for the copy.
    """
    copy = folder / "bag.db3"
    shutil.copyfile(path, copy)
    shutil.copyfile(_log_of(path), _log_of(copy))
    try:
        with closing(sqlite3.connect(copy)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            database.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.DatabaseError:  # damaged: what can be read is read without the log
        shutil.copyfile(path, copy)
        _log_of(copy).unlink(missing_ok=True)
    return copy


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
