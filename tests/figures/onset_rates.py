"""More impacts, and larger pictures, than a real node with micro can answer: memory, queue, what is given up, latency.

scripts/run python -m tests.figures.onset_rates --seconds 60
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from diagnostic_msgs.msg import DiagnosticArray

from tests.figures.held import resident_mb
from tests.figures.live_inputs import MICRO_NODE, LiveInputs
from tests.ros.perception.perception_graph import MediaGraph, NodeProcess

WARM_UP_S = 10.0
"""The buffers of sound and pictures fill."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is sent."""

    impacts_hz: float
    size_wh: tuple[int, int] = (640, 480)
    fps: float = 15.0
    rain: bool = False
    """Impacts at random times and levels, which ring into each other."""


LOADS = {
    "12 per second": Load(impacts_hz=12.0),
    "100 per second": Load(impacts_hz=100.0),
    "100 per second, as rain": Load(impacts_hz=100.0, rain=True),
    "4K at 60 Hz": Load(impacts_hz=1.0, size_wh=(3840, 2160), fps=60.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What the node did under one load."""

    played: int
    reasons: Counter[str]
    """Of the events that ended."""
    unended: int
    """Confirmed onsets without an event when the input had ended."""
    most_waiting: int
    """Events that waited for the device, at most."""
    latencies_s: np.ndarray
    """Of the events that were segmented, float64 [N]."""
    resident_mb: list[float]
    """After the warm-up, each second."""
    image_rate_hz: float
    """Pictures that the node took per second, at the end."""
    images_lost: int
    """Pictures that the middleware gave up, as the node counts them."""


def under_load(load: Load, seconds: float) -> Found:
    """Feeds a node for that long."""
    memory: list[float] = []
    with closing(MediaGraph()) as graph, NodeProcess(MICRO_NODE) as node:
        graph.wait_until_it_listens(node)
        said = graph.listen(DiagnosticArray, "/diagnostics")
        inputs = LiveInputs(graph, size_wh=load.size_wh, fps=load.fps, impacts_hz=load.impacts_hz, rain=load.rain)
        inputs.run(WARM_UP_S)
        inputs.run(seconds, lambda: memory.append(resident_mb(node.process.pid)))
        statuses = [{pair.key: pair.value for pair in message.status[0].values} for message in said]
        values = graph.status()[1]
        graph.wait_for(lambda: graph.status()[1]["events_waiting"] == "0", "the last events")
        assert node.process.poll() is None, "the node died"
        confirmed = int(graph.status()[1].get("onsets_confirmed", 0))
    segmented = [answer.latency_s for answer in inputs.answers if answer.reason not in ("overload", "no_frame")]
    return Found(
        played=len(inputs.impacts_ns),
        reasons=Counter(answer.reason for answer in inputs.answers),
        unended=confirmed - len(inputs.answers),
        most_waiting=max(int(status["events_waiting"]) for status in statuses),
        latencies_s=np.array(segmented),
        resident_mb=memory,
        image_rate_hz=float(statuses[-1]["image_rate_hz"]),
        images_lost=int(values["image_lost"]),
    )


def main(
    seconds: Annotated[float, typer.Option(help="How long each.")] = 60.0,
    only: Annotated[list[str] | None, typer.Option(help="Of these names.")] = None,
) -> None:
    """Print what the node did under each load."""
    for name in only or LOADS:
        found = under_load(LOADS[name], seconds)
        p50_s, p99_s = np.percentile(found.latencies_s, (50, 99)) if found.latencies_s.size else (np.nan, np.nan)
        third = max(1, len(found.resident_mb) // 3)
        first_mb, last_mb = np.median(found.resident_mb[:third]), np.median(found.resident_mb[-third:])
        typer.echo(
            f"{name}: {found.played} impacts, {found.reasons.total()} events, {found.unended} without an end\n"
            f"  reasons {dict(found.reasons)}; at most {found.most_waiting} waited\n"
            f"  {found.latencies_s.size} segmented: p50 {p50_s:.2f} s, p99 {p99_s:.2f} s\n"
            f"  memory {first_mb:.0f} MB in the first third, {last_mb:.0f} MB in the last, at most "
            f"{max(found.resident_mb):.0f} MB\n"
            f"  {found.image_rate_hz:.0f} pictures per second taken at the end, {found.images_lost} lost"
        )


if __name__ == "__main__":
    typer.run(main)
