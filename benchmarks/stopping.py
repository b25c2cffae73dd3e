"""How long the perception node takes to end after a signal: while it loads its networks, and while it listens.

scripts/run python benchmarks/stopping.py --repeats 5
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Annotated

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "96")

import typer

from benchmarks.scaffold import ROOT, percentiles, print_header, print_row, where

STATES = {"loads": "loading preset", "listens": "nobody publishes"}
"""What the node does, and a line that it writes then."""


def ended_after_s(preset: str, line: str, number: signal.Signals) -> float:
    """Starts a node, waits for the line, sends the signal, and returns how long the process lived on, seconds."""
    command = [sys.executable, "-m", "cs3_ros.perception.node", "--ros-args", "-p", f"preset:={preset}"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for text in process.stderr:
            said.append(text)
            if line in text:
                break
        else:
            raise RuntimeError("the node ended by itself:\n" + "".join(said))
        begin = time.perf_counter()
        process.send_signal(number)
        process.communicate()
        took_s = time.perf_counter() - begin
    if process.returncode:
        raise RuntimeError(f"the node ended with status {process.returncode}")
    return took_s


def main(
    preset: Annotated[str, typer.Option(help="Preset of the node.")] = "debug",
    repeats: Annotated[int, typer.Option(min=1, help="Nodes per row.")] = 5,
) -> None:
    """Measure how long the perception node takes to end."""
    print(where() + "\n")
    print_header("the node", "signal", "p50, s", "longest, s")
    for state, line in STATES.items():
        for number in (signal.SIGINT, signal.SIGTERM):
            times_s = [ended_after_s(preset, line, number) for _ in range(repeats)]
            print_row(state, number.name, *percentiles(times_s, (50, 100), digits=2))


if __name__ == "__main__":
    typer.run(main)
