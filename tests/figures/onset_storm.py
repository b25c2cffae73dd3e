"""Impacts in simulated time while sound, pictures and every stage fail at random: how many end, and how often.

scripts/run python -m tests.figures.onset_storm --onsets 10000
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from cs3_model.frame_ring import StoredFrame
from cs3_model.pipeline import CollisionPipeline, PipelineConfig
from cs3_model.steps import Event, Step
from cs3_model.stream import CollisionStream, StreamConfig
from cs3_model.types import AudioBlock, Reason, UInt8Image
from cs3_model.worker import Outcome, PerceptionWorker
from tests.model.conftest import BrightestSpot, FilledBoxes, FixedHands

NS = 1_000_000_000
RATE_HZ = 16_000
BLOCK = 640
SPAN_S = 0.5
"""One impact about every so many seconds."""
MAX_WAITING = 4


@dataclass(kw_only=True)
class Storm:
    """What became of the impacts."""

    confirmed: int
    """Onsets that the stream confirmed."""
    ended: Counter[int]
    """How often each event was reported, by its id."""
    reasons: Counter[str]
    raised: Counter[str]
    """How often each stage was made to fail."""


class Faults:
    """Makes calls fail at random: with an error, without memory, or by a stall that ends when simulated time goes on.

    Args:
        seed: Of the randomness.
        share: How many of the calls each of the three meets.
    """

    def __init__(self, seed: int, share: float = 0.02) -> None:
        self._share = share
        self.raised: Counter[str] = Counter()
        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    def strike(self, stage: str) -> None:
        """Fails or stalls, or not."""
        with self._lock:
            draw = self._rng.random()
        if draw < self._share:
            self.raised[stage] += 1
            raise RuntimeError(f"{stage} failed")
        if draw < 2 * self._share:
            self.raised[stage] += 1
            raise MemoryError(stage)
        if draw < 3 * self._share:
            self.raised[f"{stage} stalled"] += 1
            self._may_go_on.clear()
            self._may_go_on.wait(10.0)

    def go_on(self) -> None:
        """Ends a stall."""
        self._may_go_on.set()


def storm(num_onsets: int, seed: int = 0) -> Storm:
    """Runs stream and worker until so many onsets are confirmed."""
    rng, faults = np.random.default_rng(seed), Faults(seed + 1)
    ended: Counter[int] = Counter()
    reasons: Counter[str] = Counter()
    lock = threading.Lock()

    def on_result(event: Event, outcome: Outcome) -> None:
        with lock:
            ended[event.event_id] += 1
            reasons[str(outcome.result.reason)] += 1
        faults.strike("publishing")

    now_s = 0.0
    stream = CollisionStream(StreamConfig(audio_pre_s=0.2, audio_post_s=0.2, patience_s=0.3), monotonic=lambda: now_s)
    worker = PerceptionWorker(_pipeline(faults), on_result, max_waiting=MAX_WAITING)

    def submit(steps: list[Step]) -> None:
        for step in steps:
            worker.submit(step)

    stamp_ns = 1_000 * NS
    while stream.counters["onsets_confirmed"] < num_onsets:
        sound = impact_sound(rng)
        for start in range(0, sound.size, BLOCK):
            now_s += BLOCK / RATE_HZ
            faults.go_on()
            samples, block_ns = sound[start : start + BLOCK], stamp_ns + start * NS // RATE_HZ
            draw = rng.random()
            if draw < 0.001:  # the clock is set
                stamp_ns += int(rng.choice([-3600, -10, 3600])) * NS
            elif draw < 0.002:
                submit(stream.clear(Reason.STOPPED, "switched off"))
            elif draw > 0.01:  # or the block is lost
                blocks = [(samples, block_ns)] * (2 if draw > 0.995 else 1)
                for data, at_ns in blocks:
                    submit(stream.push_audio(AudioBlock(samples=data, sample_rate_hz=RATE_HZ, stamp_ns=at_ns)))
            if rng.random() > 0.05:
                submit(stream.push_frame(frame(block_ns, faults)))
            submit(stream.expire())
        stamp_ns += sound.size * NS // RATE_HZ
    submit(stream.close())
    faults.go_on()
    _finish(worker, faults)
    return Storm(confirmed=stream.counters["onsets_confirmed"], ended=ended, reasons=reasons, raised=faults.raised)


def impact_sound(rng: np.random.Generator) -> np.ndarray:
    """Half a second of faint noise with struck metal in it, at a random time."""
    samples = 1e-3 * rng.standard_normal(round(SPAN_S * RATE_HZ))
    times = np.arange(round(0.2 * RATE_HZ)) / RATE_HZ
    start = round(rng.uniform(0.05, 0.25) * RATE_HZ)
    hit = sum(np.exp(-times * 40 * k) * np.sin(2 * np.pi * 900 * k * times) for k in (1, 2.7, 5.1))
    samples[start : start + times.size] += 0.1 * hit[: samples.size - start]
    return samples.astype(np.float32)


def frame(stamp_ns: int, faults: Faults, *, frame_id: str = "camera") -> StoredFrame:
    """A small picture, whose decoding may fail."""

    def decode() -> UInt8Image:
        faults.strike("decoding")
        image = np.full((32, 48, 3), 20, np.uint8)
        image[8:16, 20:28] = 255
        return image

    return StoredFrame(stamp_ns=stamp_ns, frame_id=frame_id, num_bytes=64, decode_image=decode)


def _pipeline(faults: Faults) -> CollisionPipeline:
    """Hand-made parts, of which each call may fail."""

    class Spot(BrightestSpot):
        def embed_image(self, image: UInt8Image) -> np.ndarray:
            faults.strike("picture")
            return super().embed_image(image)

        def embed_audio(self, window: object) -> float:
            faults.strike("sound")
            return super().embed_audio(window)  # type: ignore[arg-type]

    class Hands(FixedHands):
        def detect(self, image: UInt8Image) -> object:
            faults.strike("hands")
            return super().detect(image)

    class Boxes(FilledBoxes):
        def segment(self, *arguments: object) -> object:
            faults.strike("boxes")
            return super().segment(*arguments)  # type: ignore[arg-type]

    return CollisionPipeline(
        audio_visual=Spot(), hands=Hands(None, (25.0, 10.0, 35.0, 20.0)), boxes=Boxes(), config=PipelineConfig()
    )


def _finish(worker: PerceptionWorker, faults: Faults) -> None:
    """Lets the worker do what waits, then stops it."""
    for _ in range(1000):
        if not worker.num_waiting:
            break
        faults.go_on()
        threading.Event().wait(0.01)
    faults.go_on()
    worker.stop()


def main(onsets: Annotated[int, typer.Option(help="Onsets to confirm.")] = 10_000) -> None:
    """Print what became of the impacts."""
    logging.disable()  # of each failure
    result = storm(onsets)
    once = sum(count == 1 for count in result.ended.values())
    typer.echo(f"confirmed {result.confirmed}, ended exactly once {once}, ids {len(result.ended)}")
    typer.echo(f"faults: {dict(sorted(result.raised.items()))}")
    typer.echo(f"reasons: {dict(sorted(result.reasons.items()))}")
    if not once == len(result.ended) == result.confirmed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
