"""Clocks that jump, and sound with gaps, duplicates, swaps and changes of rate: no stale frame, no onset from a gap.

scripts/run python -m tests.figures.disordered_time --jumps 100
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from cs3_model.steps import Fail, Finish, Step
from cs3_model.stream import CollisionStream, StreamConfig
from cs3_model.types import AudioBlock
from tests.figures.onset_storm import BLOCK, NS, RATE_HZ, Faults, frame, impact_sound

JUMPS_S = {"1 h forward": 3600, "1 h back": -3600, "10 s back": -10, "reset": None, "loop": -2.5}
"""By how much each clock jumps, seconds; a reset begins at 1 s after 1970."""
DISORDERS = ("1 % lost", "5 % lost", "20 % lost", "duplicates", "swaps", "changes of rate")


@dataclass(kw_only=True)
class Jumped:
    """What came of impacts on both sides of jumps of one kind."""

    finished: int = 0
    failed: int = 0
    stale: int = 0
    """Events whose frame is from the other side of a jump, or too far from the onset."""


def jump(kind: str, num_jumps: int) -> Jumped:
    """Five spans of half a second with an impact each, then a jump, and so on."""
    rng, faults, found = np.random.default_rng(0), Faults(0, share=0.0), Jumped()
    now_s, start_ns = 0.0, 1_000_000 * NS
    stream = CollisionStream(StreamConfig(audio_pre_s=0.2, audio_post_s=0.2, patience_s=0.3), monotonic=lambda: now_s)

    def judge(steps: list[Step], side: int) -> None:
        for step in steps:
            found.failed += isinstance(step, Fail)
            if isinstance(step, Finish):
                found.finished += 1
                is_near = abs(step.frame.stamp_ns - step.event.onset_ns) <= 0.1 * NS
                found.stale += not is_near or step.frame.frame_id != f"side {side}"

    for side in range(num_jumps + 1):
        for _ in range(5):
            sound = impact_sound(rng)
            for start in range(0, sound.size, BLOCK):
                now_s += BLOCK / RATE_HZ
                stamp_ns = start_ns + start * NS // RATE_HZ
                block = AudioBlock(samples=sound[start : start + BLOCK], sample_rate_hz=RATE_HZ, stamp_ns=stamp_ns)
                judge(stream.push_frame(frame(stamp_ns, faults, frame_id=f"side {side}")), side)
                judge(stream.push_audio(block) + stream.expire(), side)
            start_ns += sound.size * NS // RATE_HZ
        by_s = JUMPS_S[kind]
        start_ns = NS * (1 + side % 2) if by_s is None else start_ns + round(by_s * NS)
    judge(stream.close(), num_jumps)
    return found


def onsets_of_disorder(kind: str, seconds: float) -> int:
    """How many onsets are confirmed in faint noise of so many seconds, in which there is none."""
    stream = CollisionStream(StreamConfig())
    for block in _disordered(kind, seconds):
        stream.push_audio(block)
    stream.close()
    return stream.counters["onsets_confirmed"]


def _disordered(kind: str, seconds: float) -> Iterator[AudioBlock]:
    rng, rate_hz, stamp_ns = np.random.default_rng(1), RATE_HZ, 1_000 * NS
    held: AudioBlock | None = None
    for number in range(round(seconds * RATE_HZ / BLOCK)):
        if kind == "changes of rate" and number % 50 == 0:
            rate_hz = int(rng.choice([8_000, 16_000, 44_100, 48_000]))
        samples = 3e-3 * rng.standard_normal(round(BLOCK * rate_hz / RATE_HZ)).astype(np.float32)
        block = AudioBlock(samples=samples, sample_rate_hz=rate_hz, stamp_ns=stamp_ns)
        stamp_ns += samples.size * NS // rate_hz
        if kind.endswith("lost") and rng.random() < float(kind.split()[0]) / 100:
            continue
        if kind == "swaps" and held is None and number % 2 == 0:
            held = block
            continue
        yield block
        if held is not None:
            yield held
            held = None
        if kind == "duplicates" and rng.random() < 0.2:
            yield block


def main(
    jumps: Annotated[int, typer.Option(help="Jumps of each kind.")] = 100,
    seconds: Annotated[float, typer.Option(help="Sound of each disorder.")] = 600.0,
) -> None:
    """Print what came of it."""
    for kind in JUMPS_S:
        found = jump(kind, jumps)
        typer.echo(
            f"{jumps} x {kind}: {found.finished} events, {found.failed} told why not, {found.stale} stale frames"
        )
    for kind in DISORDERS:
        typer.echo(f"{seconds:g} s of noise with {kind}: {onsets_of_disorder(kind, seconds)} onsets")


if __name__ == "__main__":
    typer.run(main)
