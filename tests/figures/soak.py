"""An hour of one impact per second on a real node with micro: whether each is answered, and what the node holds on to.

scripts/run python -m tests.figures.soak --seconds 3600
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from tests.figures.held import Held, held
from tests.figures.live_inputs import MICRO_NODE, LiveInputs, num_answered
from tests.ros.perception.perception_graph import MediaGraph, NodeProcess

SAMPLE_S = 5.0
NUM_PARTS = 12
"""Growth is told between equal parts of the time; of the first, caches fill."""


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """What an hour, or less, came to."""

    samples: list[Held]
    """What the node had, every `SAMPLE_S`."""
    impacts: int
    answered: int
    reasons: Counter[str]
    longest_s: float
    """The slowest answer, as the node says it."""

    @property
    def resident_mb(self) -> list[float]:
        """Median resident memory of each part of the time."""
        return [float(np.median(part)) for part in np.array_split([s.resident_mb for s in self.samples], NUM_PARTS)]

    @property
    def settled(self) -> list[Held]:
        """The samples after the first part."""
        return self.samples[len(self.samples) // NUM_PARTS :]


def soak(seconds: float) -> Soaked:
    """Feeds a node for that long."""
    samples: list[Held] = []
    with closing(MediaGraph()) as graph, NodeProcess(MICRO_NODE) as node:
        graph.wait_until_it_listens(node)
        inputs = LiveInputs(graph, size_wh=(640, 480), fps=15, impacts_hz=1)
        inputs.run(5.0)  # until everything is connected
        inputs.impacts_ns.clear()
        inputs.run(seconds, lambda: samples.append(held(node.process.pid)), SAMPLE_S)
        played = list(inputs.impacts_ns)
        inputs.run(4.0)  # the last one's sound, and its answer
        inputs.impacts_ns[:] = played
        assert node.process.poll() is None, "the node died"
    return Soaked(
        samples=samples,
        impacts=len(played),
        answered=num_answered(inputs),
        reasons=Counter(answer.reason for answer in inputs.answers),
        longest_s=max((answer.latency_s for answer in inputs.answers), default=float("nan")),
    )


def main(seconds: Annotated[float, typer.Option(help="How long.")] = 3600.0) -> None:
    """Print what the node answered and held."""
    found = soak(seconds)
    memory = found.resident_mb
    typer.echo(f"{found.answered} of {found.impacts} impacts answered, the slowest {found.longest_s:.2f} s")
    typer.echo(f"reasons: {dict(found.reasons)}")
    typer.echo(f"resident MB by part of the time: {', '.join(f'{value:.0f}' for value in memory)}")
    typer.echo(f"growth after the first part: {memory[-1] - memory[1]:+.1f} MB")
    for name in ("threads", "descriptors"):
        counts = [getattr(sample, name) for sample in found.settled]
        typer.echo(f"{name}: {min(counts)} to {max(counts)}")


if __name__ == "__main__":
    typer.run(main)
