"""Commands in processes of their own that need not import PyTorch anew, which takes each longer than its work."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch", "torch._dynamo", "torchvision", "training.loop.trainer"])


def run_module(command: Sequence[str], log: Path) -> subprocess.CompletedProcess[None]:
    """Runs the command of a module, in a process forked from one that has imported PyTorch and done nothing else.

    Args:
        command: As for `subprocess.run`: the interpreter, "-m", the module and its arguments.
        log: Where the output is appended.
    """
    _, option, module, *arguments = command
    assert option == "-m"
    process = _context.Process(target=_run, args=(module, arguments, log))
    process.start()
    process.join()
    assert process.exitcode is not None  # it has ended
    return subprocess.CompletedProcess(command, process.exitcode)


def _run(module: str, arguments: list[str], log: Path) -> None:
    file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = [module, *arguments]
    typer.run(importlib.import_module(module).main)
