"""SIGINT and SIGTERM at random moments of a node's life, imports included: its status, and what it prints.

scripts/run python -m tests.figures.signals_at_random --signals 200
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Annotated

import numpy as np
import typer


def interrupt(at_s: float, number: signal.Signals) -> str:
    """Starts a node, sends the signal after so many seconds, and says how it ended."""
    command = [sys.executable, "-c", "import sys; from cs3_ros.entry import perception; sys.exit(perception())"]
    command += ["--ros-args", "-p", "preset:=debug"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)
    time.sleep(at_s)
    process.send_signal(number)
    begin_s = time.monotonic()
    try:
        output, _ = process.communicate(timeout=30.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "did not end within 30 s"
    took_s = time.monotonic() - begin_s
    if "Traceback" in output:
        typer.echo(f"{number.name} after {at_s:.2f} s: {output}", err=True)
        where = "Python's own start" if "cs3_ros" not in output else "this package"
        return f"traceback in {where}"
    if process.returncode not in (0, -number):
        typer.echo(f"{number.name} after {at_s:.2f} s: {output}", err=True)
        return f"status {process.returncode}"
    return "ended within 2 s" if took_s < 2.0 else "ended within 30 s"


def main(
    signals: Annotated[int, typer.Option(help="How many.")] = 200,
    within_s: Annotated[
        float, typer.Option(help="They come until so long after the start; the node should be up.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(help="Of the moments: another one for each part of a long run.")] = 0,
) -> None:
    """Print how the nodes ended; what those said that did not end well goes to stderr."""
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a script in the background ignores it, and so would the nodes
    rng = np.random.default_rng(seed)
    outcomes = Counter(
        interrupt(float(rng.uniform(0.0, within_s)), signal.SIGINT if count % 2 else signal.SIGTERM)
        for count in range(signals)
    )
    for outcome, count in outcomes.most_common():
        typer.echo(f"{count:4d} {outcome}")


if __name__ == "__main__":
    typer.run(main)
