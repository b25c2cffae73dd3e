"""Each stage of a real node raises an error, or finds no memory, in one event after another: how that and the next one end.

scripts/run python -m tests.figures.failing_stage --times 50
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from tests.figures.hung_stage import NODE, STAGES, arm
from tests.ros.perception.perception_graph import WINDOW_S, MediaGraph, NodeProcess, jpeg_picture

FAULTS = ("error", "memory")
DEADLINE_S = 60.0
"""`device_timeout_s` of the node, which nothing here shall reach on a busy machine."""
DEVICES = {"image": jpeg_picture, "image_topic": "/image/compressed"}


def failures(stage: str, times: int) -> Counter[tuple[str, str, str]]:
    """Lets a stage fail in so many events of one node: counts of fault, reason of the event, and reason of the next one.

    What fails while the sound is still awaited is done again when it is there, so such an event ends well.
    """
    outcomes: Counter[tuple[str, str, str]] = Counter()
    with closing(MediaGraph()) as graph, tempfile.TemporaryDirectory() as folder:
        flag = Path(folder) / "fault"
        with NodeProcess(NODE, stage, str(flag), str(DEADLINE_S)) as node:
            graph.wait_until_it_listens(node)
            graph.now_ns = time.time_ns()
            graph.play_until_collision(**DEVICES)
            for number in range(times):
                fault = FAULTS[number % len(FAULTS)]
                num_before = len(graph.collisions)
                arm(flag, fault)
                graph.play(**DEVICES)
                graph.play(WINDOW_S + 0.2, (), **DEVICES)
                graph.wait_for(lambda: not flag.exists(), "the fault")
                reason = graph.wait_for_collisions(num_before + 1)[num_before].reason
                outcomes[fault, reason, graph.play_until_collision(**DEVICES).reason] += 1
            assert node.process.poll() is None, "the node died"
    return outcomes


def main(
    times: Annotated[int, typer.Option(help="How often each stage fails.")] = 50,
    stages: Annotated[list[str] | None, typer.Option(help="Which; all by default.")] = None,
) -> None:
    """Print what came of each fault."""
    for stage in stages or STAGES:
        for (fault, reason, following), count in sorted(failures(stage, times).items()):
            typer.echo(f"{stage:<11} {fault:<7} {count:4d} x {reason}, the next one {following}")


if __name__ == "__main__":
    typer.run(main)
