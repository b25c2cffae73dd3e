"""``cs3 onsets``: the collision onsets of an audio or video file, as CSV."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import numpy.typing as npt
import typer

from cs3_model.cli.onset_plot import OnsetPlot
from cs3_model.onset import OnsetDetector, OnsetEvent, OnsetState

MAX_GAP_S = 0.02
"""A larger difference between time stamp and sample count is a gap in the file, seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Onset:
    """One onset with its end, on the timeline of the file."""

    onset_s: float
    decided_s: float
    strength_db: float
    state: OnsetState


def onsets(
    file: Annotated[Path, typer.Argument(help="Audio or video file.", metavar="FILE")],
    chunk: Annotated[int, typer.Option(help="Samples per chunk; the onsets do not depend on it.", min=1)] = 960,
    plot: Annotated[Path | None, typer.Option(help="Also draw waveform, spectrogram and onsets to this PNG.")] = None,
) -> None:
    """Print the collision onsets of FILE as CSV.

    One line per onset: its time, the time at which it was decided, how far it rises above the background (dB), and
    whether it was confirmed or withdrawn. Times are seconds on the timeline of the file. The file is read as a stream.
    """
    picture = OnsetPlot() if plot is not None else None
    try:
        found = find_onsets(file, chunk, picture)
        first = next(found, None)
        typer.echo("onset_s,confirmed_s,strength,state")
        for onset in itertools.chain([first] if first else [], found):
            typer.echo(f"{onset.onset_s:.4f},{onset.decided_s:.4f},{onset.strength_db:.1f},{onset.state.value}")
        if picture is not None:
            picture.save(plot, title=file.name)
    except BrokenPipeError:  # the reader of our output has had enough; Typer ends quietly
        raise
    except (OSError, ValueError) as error:
        typer.echo(f"cs3 onsets: {_reason(file, error)}", err=True)
        raise typer.Exit(1) from None


def find_onsets(file: Path, chunk: int = 960, picture: OnsetPlot | None = None) -> Iterator[Onset]:
    """Yields the onsets of the first audio stream of a file as they are decided.

    Args:
        file: Any file that FFmpeg reads.
        chunk: Samples per push.
        picture: Optional `OnsetPlot` that sees the sound and the onsets too.

    Raises:
        OSError: if the file cannot be read or decoded (`av.FFmpegError` is one).
        ValueError: if it has no audio, or its sample rate is out of the detector's range.
    """
    detector: OnsetDetector | None = None
    origin_s = 0.0

    def ended(events: list[OnsetEvent]) -> Iterator[Onset]:
        for event in events:
            if event.state is OnsetState.PROVISIONAL:
                continue
            onset = Onset(
                onset_s=origin_s + event.onset_sample / detector.sample_rate_hz,
                decided_s=origin_s + event.decided_sample / detector.sample_rate_hz,
                strength_db=event.strength_db,
                state=event.state,
            )
            if picture is not None:
                picture.mark(onset)
            yield onset

    for samples, time_s, rate_hz in read_audio(file):
        if detector is None or detector.sample_rate_hz != rate_hz:
            if detector is not None:
                yield from ended(detector.flush())
            detector, origin_s = OnsetDetector(rate_hz), time_s
        elif abs(time_s - origin_s - detector.samples_seen / rate_hz) > MAX_GAP_S:
            yield from ended(detector.reset())
            origin_s = time_s
        for start in range(0, len(samples), chunk):
            yield from ended(detector.push(samples[start : start + chunk]))
        if picture is not None:
            picture.hear(samples, time_s, rate_hz)
    if detector is None:
        raise ValueError("its audio stream holds no sound")
    yield from ended(detector.flush())


def read_audio(file: Path) -> Iterator[tuple[npt.NDArray[np.float32], float, int]]:
    """Decodes the first audio stream of a file piece by piece.

    Yields:
        Mono samples in [-1, 1], float32 [T], the time of the first one in seconds, and the sample rate.

    Raises:
        OSError: if the file cannot be read or decoded.
        ValueError: if it has no audio stream.
    """
    with av.open(str(file)) as container:
        if not container.streams.audio:
            raise ValueError("it has no audio stream")
        stream = container.streams.audio[0]
        time_s = 0.0
        for frame in container.decode(stream):
            if frame.time is not None:
                time_s = frame.time
            samples = _mono(frame)
            yield samples, time_s, frame.sample_rate
            time_s += len(samples) / frame.sample_rate


def _mono(frame: av.AudioFrame) -> npt.NDArray[np.float32]:
    """Averages the channels of a decoded frame of any sample format; returns float32 [T] in [-1, 1]."""
    samples = frame.to_ndarray()
    num_channels = len(frame.layout.channels)
    if frame.format.is_packed:
        samples = samples.reshape(-1, num_channels).T
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float32) / 128 - 1
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return samples.mean(axis=0, dtype=np.float32)


def _reason(file: Path, error: Exception) -> str:
    if isinstance(error, av.FFmpegError):
        return f"cannot read {file}: {error.strerror}"
    if isinstance(error, OSError):
        return f"cannot write {error.filename or 'the picture'}: {error.strerror or error}"
    return f"cannot use {file}: {error}"
