"""The onsets in the sound of a file, and the sound around one of them, as the live stream would have cut it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cs3_model.audio_ring import AudioRing
from cs3_model.cli.onset_plot import OnsetPlot
from cs3_model.media import NS_PER_S, MediaFile
from cs3_model.onset import OnsetDetector, OnsetEvent, OnsetState
from cs3_model.types import AudioBlock, AudioWindow

_MARGIN_NS = NS_PER_S // 100
"""The first sample of a window may lie up to half a sample before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Onset:
    """One collision sound on the timeline of the file."""

    time_ns: int
    decided_ns: int | None = None
    """Time of the last sample that was needed to decide; None if the time was given rather than found."""
    strength_db: float | None = None
    """Rise over the sound before it, to 0.1 dB; None if the time was given rather than found."""
    state: OnsetState = OnsetState.CONFIRMED


def find_onsets(media: MediaFile, chunk: int = 960, picture: OnsetPlot | None = None) -> Iterator[Onset]:
    """Yields the onsets in the sound of a file as they are decided, confirmed and withdrawn ones.

    Args:
        media: A file with sound.
        chunk: Samples per push; the onsets do not depend on it.
        picture: Optional `OnsetPlot` that sees the sound and the onsets too.

    Raises:
        ValueError: if the file has no sound or is damaged, or its sample rate is out of the detector's range.
    """
    pieces = media.mono()
    rate_hz = media.sample_rate_hz
    try:
        detector = OnsetDetector(rate_hz)
    except ValueError as error:
        raise ValueError(f"{media.path} cannot be used: {error}") from None
    origin_ns = due_ns = 0
    any_sound = False

    def ended(events: list[OnsetEvent]) -> Iterator[Onset]:
        for event in events:
            if event.state is OnsetState.PROVISIONAL:
                continue
            onset = Onset(
                time_ns=origin_ns + round(event.onset_sample * NS_PER_S / rate_hz),
                decided_ns=origin_ns + round(event.decided_sample * NS_PER_S / rate_hz),
                strength_db=round(event.strength_db, 1),
                state=event.state,
            )
            if picture is not None:
                picture.mark(onset)
            yield onset

    for time_ns, samples in pieces:
        if not any_sound or time_ns - due_ns > 1:  # a hole; times are rounded down to the nanosecond
            yield from ended(detector.reset())
            origin_ns, any_sound = time_ns, True
        due_ns = time_ns + len(samples) * NS_PER_S // rate_hz
        for start in range(0, len(samples), chunk):
            yield from ended(detector.push(samples[start : start + chunk]))
        if picture is not None:
            picture.hear(samples, time_ns / NS_PER_S, rate_hz)
    if not any_sound:
        raise ValueError(f"{media.path} holds no samples of sound")
    yield from ended(detector.flush())


def read_window(path: Path, onset_s: float | None, *, pre_s: float, post_s: float) -> tuple[AudioWindow, Onset]:
    """Cuts the window around an onset out of a file; zeros stand for what lies beyond its ends.

    Args:
        path: Any audio or video file.
        onset_s: Time of the onset, seconds from the file's earliest picture or sample; None for the strongest one that
            the onset detector finds.
        pre_s: Sound before the onset, seconds.
        post_s: Sound after the onset, seconds.

    Raises:
        ValueError: if the file cannot be read, the time is not within it, or no onset is found.
    """
    media = MediaFile(path, unreadable=f"{path} cannot be read as sound")
    onset = _strongest_onset(media) if onset_s is None else _given_onset(media, onset_s)
    start_ns = onset.time_ns - round(pre_s * NS_PER_S)
    stop_ns = onset.time_ns + round(post_s * NS_PER_S)
    pieces = list(media.mono(start_ns - _MARGIN_NS, stop_ns + _MARGIN_NS))
    if not pieces:
        raise ValueError(f"{path} has a hole in its sound at {onset.time_ns / NS_PER_S:.2f} s; choose another onset")
    ring = AudioRing(span_s=(stop_ns - start_ns + 2 * _MARGIN_NS) / NS_PER_S)
    for time_ns, samples in pieces:
        ring.push(AudioBlock(samples=samples, sample_rate_hz=media.sample_rate_hz, stamp_ns=time_ns))
    window, _ = ring.window(start_ns, stop_ns)
    return window, onset


def _strongest_onset(media: MediaFile) -> Onset:
    confirmed = [onset for onset in find_onsets(media) if onset.state is OnsetState.CONFIRMED]
    if not confirmed:
        raise ValueError(f"no collision was heard in {media.path}; say when it is with --onset SECONDS")
    return max(confirmed, key=lambda onset: onset.strength_db or 0.0)


def _given_onset(media: MediaFile, onset_s: float) -> Onset:
    spans_s = [
        (time_ns / NS_PER_S, time_ns / NS_PER_S + len(samples) / media.sample_rate_hz)
        for time_ns, samples in media.mono()
    ]
    if not spans_s:
        raise ValueError(f"{media.path} holds no samples of sound")
    start_s, end_s = spans_s[0][0], spans_s[-1][1]
    if not start_s <= onset_s <= end_s:
        raise ValueError(f"onset must lie within {media.path}, [{start_s:.2f}, {end_s:.2f}] s, got {onset_s}")
    return Onset(time_ns=round(onset_s * NS_PER_S))
