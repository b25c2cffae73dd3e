"""A node that is configured, activated, used, deactivated and cleaned up, over and over: what it holds on to.

scripts/run python -m tests.figures.lifecycle_cycles --cycles 1000
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Annotated

import typer
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

from tests.figures.fuzzing import NODE
from tests.figures.held import Held, held
from tests.ros.perception.perception_graph import MediaGraph, NodeProcess

CYCLE = {
    Transition.TRANSITION_DEACTIVATE: "inactive",
    Transition.TRANSITION_CLEANUP: "unconfigured",
    Transition.TRANSITION_CONFIGURE: "inactive",
    Transition.TRANSITION_ACTIVATE: "active",
}
"""Transitions, and the states that they lead to."""
WARM_UP = 5
"""Cycles before the first measurement: caches fill."""
PARTS = 4
ASK_EVERY_S = 2.0


def cycles(count: int) -> list[Held]:
    """What the node has after the warm-up, and after each quarter of so many cycles; it must hear an impact at the end."""
    with closing(MediaGraph()) as graph, NodeProcess(NODE) as node:
        graph.wait_until_it_listens(node)

        def walk(number: int) -> Held:
            for _ in range(number):
                for transition, state in CYCLE.items():
                    change(graph, transition, state)
            return at_rest(node.process.pid)

        found = [walk(WARM_UP), *(walk(count // PARTS) for _ in range(PARTS))]
        graph.play_until_collision()
    return found


def at_rest(pid: int) -> Held:
    """The least that it has within a second: a thread of the last cycle may still be ending."""
    found = []
    for _ in range(10):
        found.append(held(pid))
        time.sleep(0.1)
    return min(found, key=lambda each: (each.threads, each.descriptors))


def change(graph: MediaGraph, transition: int, state: str) -> None:
    """Asks for a transition and waits until it is done.

    On a busy machine the middleware may lose the answer to a client that the node has just met, so that the state counts
    as well, which may be asked for again and again.
    """
    answer = graph.call_async(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=transition)))
    asked, asked_s = None, time.monotonic()

    def is_done() -> bool:
        nonlocal asked, asked_s
        if answer.done():
            assert answer.result().success, transition
            return True
        if asked is not None and asked.done() and asked.result().current_state.label == state:
            return True
        if time.monotonic() > asked_s + ASK_EVERY_S:
            asked, asked_s = graph.call_async(GetState, "get_state", GetState.Request()), time.monotonic()
        return False

    graph.wait_for(is_done, state)


def main(count: Annotated[int, typer.Option("--cycles", help="How many.")] = 1000) -> None:
    """Print what the node had after each quarter."""
    for number, found in enumerate(cycles(count)):
        typer.echo(f"after {number * (count // PARTS):4d} cycles {found}")


if __name__ == "__main__":
    typer.run(main)
