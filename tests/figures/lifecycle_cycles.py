"""A node that is configured, activated, used, deactivated and cleaned up, over and over: what it holds on to.

scripts/run python -m tests.figures.lifecycle_cycles --cycles 1000
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from tests.figures.fuzzing import NODE, resident_mb
from tests.ros.perception.perception_graph import START_S, MediaGraph, NodeProcess

CYCLE = (
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
)
WARM_UP = 5
"""Cycles before the first measurement: caches fill."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the process has."""

    resident_mb: float
    threads: int
    descriptors: int


def cycles(count: int) -> tuple[Held, Held]:
    """What the node has after the warm-up, and after so many cycles more; it must hear an impact at the end."""
    with closing(MediaGraph()) as graph, NodeProcess(NODE) as node:
        graph.wait_for(lambda: node.has_said("nobody publishes"), "the node", START_S)

        def walk(number: int) -> Held:
            for _ in range(number):
                for transition in CYCLE:
                    request = ChangeState.Request(transition=Transition(id=transition))
                    assert graph.call(ChangeState, "change_state", request).success, transition
            return _held(node.process.pid)

        before = walk(WARM_UP)
        after = walk(count)
        graph.play_until_collision()
    return before, after


def _held(pid: int) -> Held:
    folder = Path(f"/proc/{pid}")
    return Held(
        resident_mb=resident_mb(pid),
        threads=len(list((folder / "task").iterdir())),
        descriptors=len(list((folder / "fd").iterdir())),
    )


def main(count: Annotated[int, typer.Option("--cycles", help="How many.")] = 1000) -> None:
    """Print what the node had before and after."""
    before, after = cycles(count)
    typer.echo(f"before {before}\nafter {count} cycles {after}")


if __name__ == "__main__":
    typer.run(main)
