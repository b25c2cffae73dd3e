"""Runs processes together: prefixed output, one end for all, restarts. What `ros2 launch` does, where there is none."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cs3_ros.bringup.checks import find_executable
from cs3_ros.bringup.processes import EndsLaunch, Process

_RESPAWN_DELAY_S = 2.0
_PATIENCE_S = 5.0
"""How long a process may take to end, after each of SIGINT and SIGTERM."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Command = Callable[[Process], list[str]]


def command_line(process: Process) -> list[str]:
    """The command that starts a process. A Python script starts with this Python, which has what the nodes need."""
    path = find_executable(process)
    with path.open("rb") as file:
        is_python = b"python" in file.readline() and process.package == "cs3_ros"
    return [*([sys.executable] if is_python else []), str(path), *process.arguments, *process.ros_arguments()]


@dataclass(frozen=True, slots=True)
class _Ended:
    """A process ended."""

    process: Process
    status: int


@dataclass(frozen=True, slots=True)
class _Due:
    """A process is to be started again."""

    process: Process


class Supervisor:
    """Starts processes, and ends all of them when one ends that they need, or on Ctrl-C, SIGTERM or SIGHUP.

    Args:
        processes: What to run.
        command: Makes a process's command line.
        write: Takes each line of output, prefixed with the executable's name.
    """

    def __init__(
        self, processes: Sequence[Process], *, command: Command = command_line, write: Callable[[str], None] = print
    ) -> None:
        self._processes, self._command, self._write = processes, command, write
        self._news: queue.SimpleQueue[_Ended | _Due | signal.Signals] = queue.SimpleQueue()
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._write_lock = threading.Lock()

    def run(self) -> int:
        """Runs until the end; returns 0, or the status of the process that ended it."""
        earlier = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            for process in self._processes:
                self._start(process)
            return self._watch()
        finally:
            self._stop_all()
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        self._news.put(signal.Signals(number))  # a SimpleQueue may be used in a signal handler

    def _watch(self) -> int:
        while True:
            news = self._news.get()
            if isinstance(news, signal.Signals):
                return 0
            if isinstance(news, _Due):
                self._start(news.process)
                continue
            process, status = news.process, news.status
            del self._running[process.executable]
            words = f"ended with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"
            self._say(process, words)
            if process.respawn:
                self._say(process, f"starts again in {_RESPAWN_DELAY_S:g} s")
                timer = threading.Timer(_RESPAWN_DELAY_S, self._news.put, (_Due(process),))
                timer.daemon = True
                timer.start()
            elif process.ends_launch is EndsLaunch.ALWAYS or (
                process.ends_launch is EndsLaunch.ON_FAILURE and status != 0
            ):
                return status if status >= 0 else 128 - status

    def _start(self, process: Process) -> None:
        # A session of its own: the terminal's Ctrl-C reaches this process alone, which then ends the others in order.
        child = subprocess.Popen(
            self._command(process),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self._running[process.executable] = child
        threading.Thread(target=self._read, args=(process, child), daemon=True).start()

    def _read(self, process: Process, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            self._say(process, line.rstrip("\n"))
        self._news.put(_Ended(process, child.wait()))

    def _say(self, process: Process, line: str) -> None:
        with self._write_lock:
            self._write(f"[{process.executable}] {line}")

    def _stop_all(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for child in self._running.values():
                if child.poll() is None:
                    os.killpg(child.pid, number)
            deadline_s = time.monotonic() + _PATIENCE_S
            while any(child.poll() is None for child in self._running.values()):
                if time.monotonic() > deadline_s:
                    break
                time.sleep(0.02)
