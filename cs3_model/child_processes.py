"""Child processes that end with the process that started them, however that ends: by a signal, even by SIGKILL.

python -m cs3_model.child_processes PARENT_PID MODULE ARGUMENT... runs a module so; `start_module` starts that.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from multiprocessing import connection

_PR_SET_PDEATHSIG = 1
"""Of Linux: which signal a process gets when its parent ends."""


def start_module(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts a Python module as ``python -m`` does; it gets SIGTERM when the calling thread, or its process, ends."""
    return subprocess.Popen([sys.executable, "-m", __name__, str(os.getpid()), module, *arguments])


def end_with_parent() -> None:
    """Ends this worker process of `multiprocessing` as soon as the process that started it is gone."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "only for processes that multiprocessing started"
    connection.wait([parent.sentinel])
    os._exit(1)


def _main() -> None:
    parent, module, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it has ended before it was asked for
        return
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
