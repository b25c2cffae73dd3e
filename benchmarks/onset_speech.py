"""Measures the onset detector beside speech, with and without the voice detector, as Markdown.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m benchmarks.onset_speech [--data DIR]

`DIR` (default: ../shared/data) holds `real_sounds/speech`, recordings without an impact, `real_sounds/MATERIAL`, short
recordings of impacts, and `real`, clips with labelled collisions.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal

from cs3_model.media import MediaFile
from cs3_model.onset import OnsetConfig, OnsetDetector, OnsetState

RATE_HZ = 44_100
TOLERANCE_S = 0.05
SNRS_DB = (20, 15, 10, 5, 0, -5)
SPEECH_RMS = 0.05
Samples = npt.NDArray[np.float64]


def read(path: Path) -> Samples:
    """Mono sound at `RATE_HZ`."""
    clip = MediaFile(path)
    samples = np.concatenate([samples for _, samples in clip.mono()]).astype(float)
    common = np.gcd(clip.sample_rate_hz, RATE_HZ)
    return scipy.signal.resample_poly(samples, RATE_HZ // common, clip.sample_rate_hz // common)


def confirmed_s(samples: Samples, speech_gate: bool) -> npt.NDArray[np.float64]:
    """Times of the confirmed onsets, seconds."""
    detector = OnsetDetector(RATE_HZ, OnsetConfig(speech_gate=speech_gate))
    chunk = RATE_HZ // 25
    events = [e for start in range(0, len(samples), chunk) for e in detector.push(samples[start : start + chunk])]
    return np.array([e.onset_sample / RATE_HZ for e in events + detector.flush() if e.state is OnsetState.CONFIRMED])


def excerpt(samples: Samples, onset_s: float, next_s: float, lead_s: float = 0.05) -> Samples:
    """The impact from `lead_s` before its onset to 0.4 s after it or to the next one, faded in and out over 20 ms."""
    piece = samples[int((onset_s - lead_s) * RATE_HZ) : int(min(onset_s + 0.4, next_s - 0.01) * RATE_HZ)].copy()
    fade = np.linspace(0, 1, RATE_HZ // 50)
    piece[: len(fade)] *= fade
    piece[-len(fade) :] *= fade[::-1]
    return piece


def mixture(impacts: list[Samples], speech: Samples, snr_db: float, seed: int) -> tuple[Samples, npt.NDArray]:
    """Impacts 0.9 to 1.2 s apart over looped speech; SNR: 50 ms after the onset over active speech, both RMS."""
    rng = np.random.default_rng(seed)
    mixed = np.resize(np.roll(speech, -rng.integers(len(speech))), int((0.9 * len(impacts) + 1.5) * RATE_HZ))
    rms = np.sqrt(np.square(mixed[: len(mixed) // 441 * 441].reshape(-1, 441)).mean(1))
    mixed = mixed * SPEECH_RMS / np.sqrt(np.square(rms[rms > 0.05 * rms.max()]).mean())
    times_s = 1 + 0.9 * np.arange(len(impacts)) + rng.uniform(0, 0.3, len(impacts))
    lead = RATE_HZ // 20
    for time_s, piece in zip(times_s, impacts, strict=True):
        level = np.sqrt(np.square(piece[lead : 2 * lead]).mean())
        start = int(time_s * RATE_HZ) - lead
        room = mixed[start : start + len(piece)]
        room += SPEECH_RMS * 10 ** (snr_db / 20) / level * piece[: len(room)]
    return mixed / max(1.0, np.abs(mixed).max() / 0.95), times_s


def main() -> None:
    """Runs everything and prints the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    data = parser.parse_args().data
    speech = [read(path) for path in sorted((data / "real_sounds" / "speech").iterdir())]
    clips: dict[str, tuple[Samples, list[float]]] = {}
    labels = json.loads((data / "real" / "objects.json").read_text())["collisions"]
    for name in sorted({label["clip"] for label in labels}):
        table = (data / "real" / name).with_suffix(".onsets.csv")
        onsets_s = {label["onset_s"] for label in labels if label["clip"] == name}
        times_s = np.loadtxt(table, skiprows=1).tolist() if table.exists() else sorted(onsets_s)
        clips[name] = read(data / "real" / name), times_s
    impacts = []
    for samples, times_s in clips.values():
        found_s = confirmed_s(samples, speech_gate=False)
        later_s = [min([t for t in found_s if t > time_s + 0.03], default=time_s + 0.5) for time_s in times_s]
        impacts += [excerpt(samples, a, b) for a, b in zip(times_s, later_s, strict=True) if a > 0.1 and b > a + 0.15]
    room = 1e-4 * np.random.default_rng(0).standard_normal(RATE_HZ // 2)
    for path in sorted((data / "real_sounds").glob("[!s]*/*")):
        samples = np.concatenate([room, read(path), np.zeros(RATE_HZ // 4)])
        found_s = [*confirmed_s(samples, speech_gate=False), 1e9]
        if len(found_s) > 1:
            impacts.append(excerpt(samples, found_s[0], min(found_s[1], len(samples) / RATE_HZ)))
    sounds = [samples for samples, _ in clips.values()] + speech
    starts = [
        samples[at:][: 2 * RATE_HZ] for samples in sounds for at in range(0, len(samples) - RATE_HZ, RATE_HZ // 3)
    ]

    print(f"{len(impacts)} impacts, {len(starts)} starts.\n")
    print("| measure | without the voice detector | with it |\n| --- | --- | --- |")
    rows: dict[str, list[str]] = {}
    for gate in (False, True):
        found = [len(confirmed_s(samples, gate)) for samples in speech]
        minutes = sum(map(len, speech)) / RATE_HZ / 60
        rows.setdefault("false alarms per minute of speech", []).append(f"{sum(found) / minutes:.0f}")
        began_s = time.process_time()
        hits = [np.abs(confirmed_s(x, gate)[:, None] - t).min(0) < TOLERANCE_S for x, t in clips.values()]
        cost = (time.process_time() - began_s) * RATE_HZ / sum(len(samples) for samples, _ in clips.values())
        rows.setdefault("recall on the labelled clips", []).append(f"{np.concatenate(hits).mean():.2f}")
        for snr_db in SNRS_DB:
            mixed, times_s = mixture(impacts, np.concatenate(speech), snr_db, seed=0)
            hit = np.abs(confirmed_s(mixed, gate)[:, None] - times_s).min(0) < TOLERANCE_S
            rows.setdefault(f"recall over speech at {snr_db} dB", []).append(f"{hit.mean():.2f}")
        silence = np.zeros(RATE_HZ // 2)
        switched = sum(bool((np.abs(confirmed_s(np.append(silence, s), gate) - 0.5) < 0.02).any()) for s in starts)
        rows.setdefault("impacts confirmed at switching on", []).append(f"{switched} of {len(starts)}")
        rows.setdefault("CPU seconds per second of sound", []).append(f"{cost:.3f}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
