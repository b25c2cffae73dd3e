"""Processes together: real ones, small."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

from cs3_ros.bringup.processes import EndsLaunch, Process
from cs3_ros.bringup.supervisor import Supervisor

SLEEP = "import signal, sys, time\ntry:\n    print('up', flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n    print('bye')"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('up', flush=True); time.sleep(60)"


def process(name: str, code: str, ends: EndsLaunch = EndsLaunch.ALWAYS, *, respawn: bool = False) -> Process:
    """A Python program in the place of a node."""
    return Process(package="cs3_ros", executable=name, arguments=(code,), ends_launch=ends, respawn=respawn)


class Run:
    """A run of the supervisor with its output; `on_line` is called with each line."""

    def __init__(self, processes: Sequence[Process], on_line=lambda line: None) -> None:
        self.lines: list[str] = []

        def write(line: str) -> None:
            self.lines.append(line)
            on_line(line)

        def command(process: Process) -> list[str]:
            return [sys.executable, "-c", process.arguments[0]]

        self.status = Supervisor(processes, command=command, write=write).run()


def interrupt(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def test_a_needed_process_that_ends_ends_the_others_and_gives_its_status() -> None:
    run = Run([process("node", "print('hello'); raise SystemExit(3)"), process("player", SLEEP)])
    assert run.status == 3
    assert "[node] hello" in run.lines and "[node] ended with status 3" in run.lines


def test_one_that_ends_well_may_leave_the_others_running() -> None:
    def on_line(line: str) -> None:
        if line == "[player] ended with status 0":
            interrupt()

    run = Run([process("node", SLEEP), process("player", "pass", EndsLaunch.ON_FAILURE)], on_line)
    assert run.status == 0 and "[player] ended with status 0" in run.lines


def test_one_that_fails_ends_them() -> None:
    run = Run([process("node", SLEEP), process("player", "raise SystemExit(1)", EndsLaunch.ON_FAILURE)])
    assert run.status == 1


def test_a_crash_is_named_and_becomes_a_status() -> None:
    run = Run([process("node", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")])
    assert run.status == 128 + signal.SIGSEGV and run.lines == ["[node] was ended by SIGSEGV"]


def test_ctrl_c_and_sigterm_end_all_with_success() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        run = Run([process("node", SLEEP)], lambda line, number=number: line == "[node] up" and interrupt(number))
        assert run.status == 0


def test_one_that_ignores_ctrl_c_is_ended_after_a_while(monkeypatch) -> None:
    monkeypatch.setattr("cs3_ros.bringup.supervisor._PATIENCE_S", 0.2)
    begin_s = time.monotonic()
    run = Run([process("node", STUBBORN)], lambda line: line == "[node] up" and interrupt())
    assert run.status == 0 and time.monotonic() - begin_s < 30


def test_a_process_that_respawns_is_started_again(monkeypatch) -> None:
    monkeypatch.setattr("cs3_ros.bringup.supervisor._RESPAWN_DELAY_S", 0.01)
    ups: list[str] = []

    def on_line(line: str) -> None:
        ups.extend([line] if line == "[node] up" else [])
        if len(ups) == 2:
            interrupt()

    code = "print('up', flush=True); raise SystemExit(2)"
    run = Run([process("node", code, EndsLaunch.NEVER, respawn=True)], on_line)
    assert run.status == 0 and len(ups) >= 2
