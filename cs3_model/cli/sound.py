"""The sound around one onset of a file, as the live stream would have cut it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from cs3_model.audio_ring import AudioRing
from cs3_model.onset import OnsetDetector, OnsetState
from cs3_model.stream import StreamConfig
from cs3_model.types import AudioWindow, Float32Array

_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Onset:
    """One collision sound on the timeline of the file."""

    time_ns: int
    strength_db: float | None = None
    """Rise over the sound before it; None if the time was given rather than found."""


def read_window(path: Path, onset_s: float | None) -> tuple[AudioWindow, Onset]:
    """Cuts the window around an onset out of a file; zeros stand for what lies beyond its ends.

    Args:
        path: Any audio or video file.
        onset_s: Time of the onset, seconds; None for the strongest one that the onset detector finds.

    Raises:
        ValueError: if the file cannot be read, the time is not within it, or no onset is found.
    """
    samples, rate_hz, start_ns = _read_audio(path)
    end_ns = start_ns + round(len(samples) / rate_hz * _NS)
    if onset_s is None:
        onset = _strongest_onset(path, samples, rate_hz, start_ns)
    elif start_ns <= onset_s * _NS <= end_ns:
        onset = Onset(time_ns=round(onset_s * _NS))
    else:
        raise ValueError(f"onset must lie within {path}, [{start_ns / _NS:.2f}, {end_ns / _NS:.2f}] s, got {onset_s}")
    ring = AudioRing(span_s=len(samples) / rate_hz + 1.0)
    ring.push(samples, rate_hz, start_ns)
    stream = StreamConfig()
    window, _ = ring.window(
        onset.time_ns - round(stream.audio_pre_s * _NS), onset.time_ns + round(stream.audio_post_s * _NS)
    )
    return window, onset


def _strongest_onset(path: Path, samples: Float32Array, rate_hz: int, start_ns: int) -> Onset:
    detector = OnsetDetector(rate_hz)
    events = detector.push(samples.mean(axis=1)) + detector.flush()
    confirmed = [event for event in events if event.state is OnsetState.CONFIRMED]
    if not confirmed:
        raise ValueError(f"no collision was heard in {path}; say when it is with --onset SECONDS")
    strongest = max(confirmed, key=lambda event: event.strength_db)
    time_ns = start_ns + round(strongest.onset_sample / rate_hz * _NS)
    return Onset(time_ns=time_ns, strength_db=round(strongest.strength_db, 1))


def _read_audio(path: Path) -> tuple[Float32Array, int, int]:
    """Returns all samples of the first audio stream, float32 [T, C], their rate, and the first one's time."""
    blocks: list[Float32Array] = []
    start_ns = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ValueError(f"{path} has no sound")
            stream = container.streams.audio[0]
            packer = av.AudioResampler(format="flt", layout=stream.layout, rate=stream.rate)
            for frame in container.decode(stream):
                if not blocks and frame.time is not None:
                    start_ns = round(frame.time * _NS)
                blocks += [packed.to_ndarray().reshape(-1, stream.channels) for packed in packer.resample(frame)]
            rate_hz = stream.rate
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"{path} cannot be read as sound: {error.strerror}") from None
    if not blocks:
        raise ValueError(f"{path} holds no samples of sound")
    return np.concatenate(blocks), rate_hz, start_ns
