"""A node that is configured, activated, used, deactivated and cleaned up, over and over: what it holds on to.

scripts/run python -m tests.figures.lifecycle_cycles --cycles 1000
"""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from tests.figures.fuzzing import NODE
from tests.figures.held import Held, held
from tests.ros.perception.perception_graph import START_S, MediaGraph, NodeProcess

CYCLE = (
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
)
WARM_UP = 5
"""Cycles before the first measurement: caches fill."""
PARTS = 4


def cycles(count: int) -> list[Held]:
    """What the node has after the warm-up, and after each quarter of so many cycles; it must hear an impact at the end."""
    with closing(MediaGraph()) as graph, NodeProcess(NODE) as node:
        graph.wait_for(lambda: node.has_said("nobody publishes"), "the node", START_S)

        def walk(number: int) -> Held:
            for _ in range(number):
                for transition in CYCLE:
                    request = ChangeState.Request(transition=Transition(id=transition))
                    assert graph.call(ChangeState, "change_state", request).success, transition
            return held(node.process.pid)

        found = [walk(WARM_UP), *(walk(count // PARTS) for _ in range(PARTS))]
        graph.play_until_collision()
    return found


def main(count: Annotated[int, typer.Option("--cycles", help="How many.")] = 1000) -> None:
    """Print what the node had after each quarter."""
    for number, found in enumerate(cycles(count)):
        typer.echo(f"after {number * (count // PARTS):4d} cycles {found}")


if __name__ == "__main__":
    typer.run(main)
