"""What worker processes share."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing import connection


def end_with_parent() -> None:
    """Ends this worker process as soon as the process that started it is gone, even by SIGKILL."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "only for processes that multiprocessing started"
    connection.wait([parent.sentinel])
    os._exit(1)
