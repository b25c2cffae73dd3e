"""PX4's list of sensor faults, on sound and on pictures, on the graph of a real node: what is said, and how soon.

scripts/run python -m tests.figures.px4_faults
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer
from cs3_msgs.msg import AudioChunk
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage

from cs3_ros.conversions.times import NS_PER_S
from tests.figures.fuzzing import IMAGE_TOPIC, NODE
from tests.ros.perception.perception_graph import (
    BLOCK_S,
    RATE_HZ,
    MediaGraph,
    NodeProcess,
    jpeg_picture,
    sound_chunk,
)

FAULT_S = 4.0
RECOVERY_S = 6.0
FPS = 15
Message = AudioChunk | CompressedImage
Fault = Callable[[Message, float], Sequence[Message]]
"""Takes a message as it should be and the time since the fault began, seconds; returns what is sent instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaction:
    """What the node said of one fault."""

    name: str
    said_after_s: float | None
    """From the beginning of the fault to diagnostics that name the input, seconds; None if it was not named."""
    over_after_s: float | None
    """From its end to diagnostics that name it no more."""
    words: str


def faults() -> dict[str, tuple[str, Fault]]:
    """PX4's failures for the two inputs: off, stuck, garbage, wrong, slow, delayed, intermittent."""
    held: dict[str, Message] = {}

    def stuck(name: str) -> Fault:
        def repeat(message: Message, since_s: float) -> Sequence[Message]:
            first = held.setdefault(name, message)
            content = AudioChunk if isinstance(message, AudioChunk) else CompressedImage
            again = content(header=message.header, data=first.data)
            if isinstance(message, AudioChunk):
                constant = np.full(len(message.data) // 2, 1000, "<i2").tobytes()
                again = AudioChunk(header=message.header, sample_rate=RATE_HZ, channels=1, encoding="S16LE")
                again.data = constant
            else:
                again.format = message.format
            return [again]

        return repeat

    def garbage(message: Message, since_s: float) -> Sequence[Message]:
        message.data = b"\x07garbage"
        return [message]

    def wrong(message: Message, since_s: float) -> Sequence[Message]:
        message.header.stamp.sec = message.header.stamp.nanosec = 0
        return [message]

    def delayed(message: Message, since_s: float) -> Sequence[Message]:
        message.header.stamp.sec -= 5
        return [message]

    def intermittent(message: Message, since_s: float) -> Sequence[Message]:
        return [message] if since_s % 0.5 < 0.25 else []

    def slow(message: Message, since_s: float) -> Sequence[Message]:
        return [message] if since_s % 1.0 < 1.2 / FPS else []

    kinds: dict[str, Fault] = {
        "off": lambda message, since_s: [],
        "garbage": garbage,
        "wrong": wrong,
        "slow": slow,
        "delayed": delayed,
        "intermittent": intermittent,
    }
    table = {f"{name}: {kind}": (name, fault) for name in ("audio", "image") for kind, fault in kinds.items()}
    return table | {f"{name}: stuck": (name, stuck(name)) for name in ("audio", "image")}


def react(names: Sequence[str] | None = None) -> list[Reaction]:
    """Lets the faults happen one after the other, with good input between them."""
    table = faults()
    with closing(MediaGraph()) as graph, NodeProcess(NODE) as node:
        graph.wait_until_it_listens(node)
        devices = Devices(graph)
        devices.run(3.0)
        return [devices.react(name, *table[name]) for name in names or table]


class Devices:
    """A camera and a microphone in real time, of which one may be at fault."""

    def __init__(self, graph: MediaGraph) -> None:
        self._graph, self._rng = graph, np.random.default_rng(0)
        self._newest = graph.listen(DiagnosticArray, "/diagnostics")
        self._publishers: dict[str, Any] = {
            "audio": graph.publisher(AudioChunk, "/audio", 1000),
            "image": graph.publisher(CompressedImage, IMAGE_TOPIC, 1000),
        }

    def react(self, name: str, faulty: str, fault: Fault) -> Reaction:
        """One fault and its end, out of a state in which nothing is said of the input."""
        if self.run(RECOVERY_S, until=lambda: not self._problems(faulty)) is None:
            raise RuntimeError(f"before '{name}' the node says: {self._problems(faulty)}")
        said_s = self.run(FAULT_S, faulty, fault, until=lambda: bool(self._problems(faulty)))
        words = next(iter(self._problems(faulty)), "")
        over_s = self.run(RECOVERY_S, until=lambda: not self._problems(faulty))
        self.run(2.0)
        return Reaction(name=name, said_after_s=said_s, over_after_s=over_s, words=words)

    def run(
        self,
        seconds: float,
        faulty: str = "",
        fault: Fault = lambda message, since_s: [message],
        until: Callable[[], bool] = lambda: False,
    ) -> float | None:
        """Sends for that long; returns after how long the condition held first."""
        begin_ns, due_s = time.time_ns(), {"audio": 0.0, "image": 0.0}
        while (now_s := (time.time_ns() - begin_ns) / NS_PER_S) < seconds:
            for name, period_s in (("audio", BLOCK_S), ("image", 1 / FPS)):
                while due_s[name] <= now_s:
                    message = self._message(name, begin_ns + round(due_s[name] * NS_PER_S))
                    for sent in fault(message, due_s[name]) if name == faulty else [message]:
                        self._publishers[name].publish(sent)
                    due_s[name] += period_s
            self._graph.spin_once()
            if until():
                return now_s
        return None

    def _message(self, name: str, stamp_ns: int) -> Message:
        if name == "audio":
            return sound_chunk(1e-3 * self._rng.standard_normal(round(BLOCK_S * RATE_HZ)), stamp_ns)
        message = jpeg_picture(stamp_ns)
        # A comment behind the first marker: the same picture, other bytes, as from a sensor with noise.
        message.data = bytes(message.data[:2]) + b"\xff\xfe\x00\x0a" + self._rng.bytes(8) + bytes(message.data[2:])
        return message

    def _problems(self, name: str) -> list[str]:
        if not self._newest:
            return []
        pairs = self._newest[-1].status[0].values
        return [
            pair.value
            for pair in pairs
            if pair.key.startswith(f"problem: {name}")
            or (pair.key == "problem: clocks" and pair.value.startswith(name))
        ]


def main(only: Annotated[list[str] | None, typer.Option(help="Of these names.")] = None) -> None:
    """Print how soon each fault, and its end, is said."""
    reactions = react(only)
    for found in reactions:
        said, over = (
            f"{value:.1f} s" if value is not None else "never" for value in (found.said_after_s, found.over_after_s)
        )
        typer.echo(f"{found.name:<20} said after {said:>6}, over after {over:>6}: {found.words}")
    good = sum(found.said_after_s is not None and found.over_after_s is not None for found in reactions)
    typer.echo(f"{good} of {len(reactions)}")


if __name__ == "__main__":
    typer.run(main)
