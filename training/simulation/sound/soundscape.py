"""What surrounds the collisions: room, background noise, speech-like and water-like sound, off-screen impacts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from training.simulation.sound.modes import Sound

BACKGROUNDS = ("quiet", "hum", "water", "speech")
ONSET_WINDOW_S = 0.25
"""The signal-to-noise ratio compares this much sound after the onset with the background."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RoomAcoustics:
    """An impulse response and its reverberation time."""

    response: Sound
    rt60_s: float


def draw_room(rng: np.random.Generator, rate_hz: int) -> RoomAcoustics:
    """Draws a kitchen: direct sound, then diffuse decay, darker with time."""
    rt60 = float(rng.uniform(0.15, 0.7))
    length = int(rt60 * rate_hz)
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail = lfilter([0.6], [1.0, -0.4], tail)
    tail[: int(rng.uniform(0.002, 0.006) * rate_hz)] = 0.0
    tail *= rng.uniform(0.1, 0.6) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return RoomAcoustics(response=tail, rt60_s=rt60)


def reverberate(sound: Sound, place: RoomAcoustics) -> Sound:
    """The sound in the room, with the same length."""
    return fftconvolve(sound, place.response)[: len(sound)]


def coloured_noise(rng: np.random.Generator, length: int, rate_hz: int, slope: float) -> Sound:
    """Noise of unit power whose spectrum falls as frequency to the power ``-slope``."""
    frequency = np.fft.rfftfreq(length, 1.0 / rate_hz)
    spectrum = rng.standard_normal(len(frequency)) + 1j * rng.standard_normal(len(frequency))
    noise = np.fft.irfft(spectrum / np.maximum(frequency, 20.0) ** (slope / 2), length)
    return noise / noise.std()


def background(rng: np.random.Generator, kind: str, length: int, rate_hz: int) -> Sound:
    """Background of unit power.

    Raises:
        ValueError: if `kind` is not one of `BACKGROUNDS`.
    """
    if kind not in BACKGROUNDS:
        raise ValueError(f"background must be one of {', '.join(BACKGROUNDS)}, got {kind!r}")
    bed = coloured_noise(rng, length, rate_hz, rng.uniform(0.6, 1.8))
    more = {"quiet": None, "hum": _hum, "water": _water, "speech": _speech}[kind]
    if more is not None:
        extra = more(rng, length, rate_hz)
        bed = bed + rng.uniform(0.7, 2.0) * extra / (extra.std() + 1e-12)
    return bed / bed.std()


def _hum(rng: np.random.Generator, length: int, rate_hz: int) -> Sound:
    time = np.arange(length) / rate_hz
    mains = rng.choice([50.0, 60.0])
    return sum(np.sin(2 * np.pi * mains * k * time + rng.uniform(0, 6.3)) / k for k in range(1, 9))


def _water(rng: np.random.Generator, length: int, rate_hz: int) -> Sound:
    """A running tap: a wide hiss and many short bubbles of falling size."""
    low = rng.uniform(300, 1200)
    band = butter(2, [low, min(0.45 * rate_hz, low * rng.uniform(3, 7))], "bandpass", fs=rate_hz, output="sos")
    hiss = sosfilt(band, rng.standard_normal(length))
    clicks = np.where(rng.random(length) < 60.0 / rate_hz, rng.standard_normal(length), 0.0)
    for pitch in rng.uniform(600, 2500, 3):
        r = np.exp(-np.pi * 80.0 / rate_hz)
        hiss = hiss + 2.0 * lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * pitch / rate_hz), r * r], clicks)
    return hiss


def _speech(rng: np.random.Generator, length: int, rate_hz: int) -> Sound:
    """A voice without words: a pulse train through two formants that change with each syllable."""
    time = np.arange(length) / rate_hz
    pitch = rng.uniform(90, 220) * (1 + 0.08 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time + rng.uniform(0, 6.3)))
    pulses = np.diff(np.floor(np.cumsum(pitch) / rate_hz), prepend=0.0) + 0.02 * rng.standard_normal(length)
    voice = np.zeros(length)
    syllable = max(int(rate_hz / rng.uniform(3, 6)), 1)
    for start in range(0, length, syllable):
        part = pulses[start : start + 2 * syllable].copy()
        for formant in (rng.uniform(300, 850), rng.uniform(900, 2300)):
            r = np.exp(-np.pi * 90.0 / rate_hz)
            part = lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * formant / rate_hz), r * r], part)
        loud = 0.0 if rng.random() < 0.2 else rng.uniform(0.4, 1.0)
        voice[start : start + 2 * syllable] += part * np.hanning(len(part)) * loud
    return voice


def onset_power(sound: Sound, onset_s: float, rate_hz: int) -> float:
    """Mean power of the `ONSET_WINDOW_S` after an onset."""
    start = round(onset_s * rate_hz)
    return float(np.mean(sound[start : start + round(ONSET_WINDOW_S * rate_hz)] ** 2))


def audible_onset_s(sound: Sound, near_s: float, rate_hz: int) -> float | None:
    """When a clean sound sets in near a time: the first sample in +-20 ms that exceeds both a hundredth of the
    strongest of the following 30 ms and ten times the strongest of the 20 ms before the search.

    Returns:
        Seconds, or None if nothing sets in.
    """
    span, before = round(0.02 * rate_hz), round(0.02 * rate_hz)
    middle = round(near_s * rate_hz)
    first = max(middle - span, 0)
    floor = float(np.abs(sound[max(first - before, 0) : first]).max(initial=0.0))
    peak = float(np.abs(sound[first : middle + round(0.03 * rate_hz)]).max(initial=0.0))
    over = np.flatnonzero(np.abs(sound[first : middle + span]) > max(0.01 * peak, 10.0 * floor, 1e-12))
    return (first + int(over[0])) / rate_hz if len(over) else None
