"""Synthetic sounds with exactly known onsets, for the tests and the benchmark of the onset detector.

Every function returns mono float64 [T]. Impacts are sums of decaying modes excited by a short contact pulse; the rest
is what a kitchen holds besides: noise, voices, music, rustle, wind and hum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

Sound = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """The range of modes that makes an object sound like its material."""

    modes_hz: tuple[float, float]
    decay_s: tuple[float, float]
    """Range of the time constants of the amplitude."""
    contact_s: tuple[float, float]
    """Range of the contact times: a hard tip excites higher modes than a soft one."""
    num_modes: int = 12


MATERIALS = {
    "wood": Material(modes_hz=(250, 5000), decay_s=(0.006, 0.04), contact_s=(0.0004, 0.002)),
    "metal": Material(modes_hz=(400, 12_000), decay_s=(0.03, 0.4), contact_s=(0.0002, 0.0008), num_modes=20),
    "ceramic": Material(modes_hz=(900, 9000), decay_s=(0.01, 0.12), contact_s=(0.0002, 0.0008)),
    "stone": Material(modes_hz=(700, 8000), decay_s=(0.002, 0.012), contact_s=(0.0002, 0.001)),
    "plastic": Material(modes_hz=(200, 4000), decay_s=(0.004, 0.03), contact_s=(0.0008, 0.003)),
    "bag": Material(modes_hz=(120, 2500), decay_s=(0.006, 0.03), contact_s=(0.001, 0.004), num_modes=24),
}


def silence(seconds: float, rate_hz: int) -> Sound:
    """Digital silence."""
    return np.zeros(round(seconds * rate_hz))


def impact(rng: np.random.Generator, rate_hz: int, material: str = "wood", seconds: float = 0.5) -> Sound:
    """One impact that begins at the first sample, with a peak of 1."""
    kind = MATERIALS[material]
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    modes_hz = np.exp(rng.uniform(*np.log(kind.modes_hz), kind.num_modes))
    decays_s = np.exp(rng.uniform(*np.log(kind.decay_s), kind.num_modes)) * (modes_hz.min() / modes_hz) ** 0.3
    amplitudes = rng.uniform(0.2, 1.0, kind.num_modes) * (modes_hz < 0.45 * rate_hz)
    sound = np.zeros(len(t))
    for mode_hz, decay_s, amplitude in zip(modes_hz, decays_s, amplitudes, strict=True):
        sound += amplitude * np.exp(-t / decay_s) * np.sin(2 * np.pi * mode_hz * t)
    pulse = np.hanning(max(3, round(rng.uniform(*kind.contact_s) * rate_hz)))
    sound = scipy.signal.fftconvolve(sound, pulse)[: len(t)]
    return sound / np.abs(sound).max()


def place(sound: Sound, onsets_s: npt.ArrayLike, impacts: list[Sound], rate_hz: int) -> Sound:
    """Returns `sound` with one impact added at each onset; what exceeds its end is cut off."""
    mixed = sound.copy()
    for onset_s, hit in zip(np.asarray(onsets_s), impacts, strict=True):
        start = round(onset_s * rate_hz)
        stop = min(len(mixed), start + len(hit))
        mixed[start:stop] += hit[: stop - start]
    return mixed


def pink_noise(rng: np.random.Generator, seconds: float, rate_hz: int) -> Sound:
    """Noise of equal power per octave above 20 Hz, RMS 1."""
    n = round(seconds * rate_hz)
    frequencies = np.fft.rfftfreq(n, 1 / rate_hz)
    spectrum = np.fft.rfft(rng.standard_normal(n)) / np.sqrt(np.maximum(frequencies, 20.0))
    noise = np.fft.irfft(spectrum, n)
    return noise / np.sqrt(np.mean(noise**2))


def rustle(rng: np.random.Generator, seconds: float, rate_hz: int) -> Sound:
    """Cloth and paper: high noise in soft strokes, peak 1."""
    n = round(seconds * rate_hz)
    noise = scipy.signal.sosfilt(_band(1500, min(9000, 0.45 * rate_hz), rate_hz), rng.standard_normal(n))
    sound = noise * (0.1 + _slow(rng, n, 6.0, rate_hz) ** 2)
    return sound / np.abs(sound).max()


def wind(rng: np.random.Generator, seconds: float, rate_hz: int) -> Sound:
    """Wind on a microphone: gusts of noise below 200 Hz, peak 1."""
    n = round(seconds * rate_hz)
    noise = scipy.signal.sosfilt(_band(5, 200, rate_hz), rng.standard_normal(n))
    sound = noise * (0.2 + _slow(rng, n, 1.5, rate_hz))
    return sound / np.abs(sound).max()


def hum(seconds: float, rate_hz: int) -> Sound:
    """Mains hum, 50 Hz with its odd harmonics, peak 1."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 3, 5, 7))
    return sound / np.abs(sound).max()


def speech_like(rng: np.random.Generator, seconds: float, rate_hz: int) -> Sound:
    """Syllables of a voice with formants, fricatives and plosive bursts, peak 1.

    A pulse train with a gliding pitch passes three resonances per vowel and fades in within 15 ms. Fricatives are
    shaped noise; plosives are a burst of some milliseconds and 10-60 ms of aspiration.
    """
    sound = silence(seconds, rate_hz)
    position = 0.2
    while position < seconds - 0.6:
        consonant = rng.choice(["plosive", "fricative", "none"])
        if consonant == "fricative":
            burst = _shaped_noise(rng, rng.uniform(0.06, 0.14), 3000, 0.45 * rate_hz, rate_hz)
            burst *= 0.12 * np.hanning(len(burst))
        elif consonant == "plosive":
            burst = _shaped_noise(rng, rng.uniform(0.01, 0.06), 500, min(6000, 0.45 * rate_hz), rate_hz)
            burst *= 0.06 + 0.2 * np.exp(-np.arange(len(burst)) / (0.004 * rate_hz))
        else:
            burst = np.zeros(0)
        syllable = np.concatenate([burst, _vowel(rng, rng.uniform(0.1, 0.25), rate_hz)])
        sound = place(sound, [position], [syllable * rng.uniform(0.5, 1.0)], rate_hz)
        position += len(syllable) / rate_hz + rng.choice([0.01, 0.06, 0.3], p=[0.5, 0.35, 0.15])
    return sound / np.abs(sound).max()


def music_like(rng: np.random.Generator, seconds: float, rate_hz: int) -> Sound:
    """Chords and a melody of bowed or blown tones with harmonics, vibrato and 30-80 ms attacks, peak 1."""
    sound = silence(seconds, rate_hz)
    for voice in range(3):
        position = 0.1 * voice
        while position < seconds - 0.1:
            length_s = rng.choice([0.25, 0.5, 1.0])
            t = np.arange(round(length_s * rate_hz)) / rate_hz
            pitch_hz = 220 * 2 ** (rng.integers(-5, 20) / 12)
            phase = 2 * np.pi * pitch_hz * (t + 0.0008 * np.sin(2 * np.pi * 5.5 * t))
            harmonics = range(1, 1 + min(12, int(0.45 * rate_hz / pitch_hz)))
            tone = sum(np.sin(k * phase) / k**1.2 for k in harmonics)
            envelope = np.minimum(1, np.minimum(t / rng.uniform(0.03, 0.08), (length_s - t) / 0.06))
            sound = place(sound, [position], [tone * envelope], rate_hz)
            position += length_s
    return sound / np.abs(sound).max()


def _vowel(rng: np.random.Generator, seconds: float, rate_hz: int) -> Sound:
    n = round(seconds * rate_hz)
    pitch_hz = rng.uniform(95, 240) * np.linspace(1.0, rng.uniform(0.8, 1.15), n)
    pulses = np.diff(np.floor(np.cumsum(pitch_hz) / rate_hz), prepend=0.0)
    voice = scipy.signal.lfilter([1.0], [1.0, -0.95], pulses) - pulses.mean() / 0.05
    for low_hz, high_hz, bandwidth_hz in ((300, 800, 80), (900, 2200, 110), (2400, 3200, 160)):
        formant_hz = rng.uniform(low_hz, high_hz)
        radius = np.exp(-np.pi * bandwidth_hz / rate_hz)
        voice = scipy.signal.lfilter(
            [1 - radius], [1.0, -2 * radius * np.cos(2 * np.pi * formant_hz / rate_hz), radius**2], voice
        )
    envelope = np.minimum(1, np.minimum(np.arange(n) / (0.015 * rate_hz), np.arange(n)[::-1] / (0.04 * rate_hz)))
    return voice / np.abs(voice).max() * envelope


def _shaped_noise(rng: np.random.Generator, seconds: float, low_hz: float, high_hz: float, rate_hz: int) -> Sound:
    noise = scipy.signal.sosfilt(_band(low_hz, high_hz, rate_hz), rng.standard_normal(round(seconds * rate_hz)))
    return noise / np.abs(noise).max()


def _slow(rng: np.random.Generator, n: int, rate_of_change_hz: float, rate_hz: int) -> Sound:
    """A smooth random curve in [0, 1]."""
    num_knots = max(4, int(n / rate_hz * rate_of_change_hz) + 2)
    curve = scipy.signal.resample(rng.uniform(0, 1, num_knots), n)
    return np.clip(curve, 0, 1)


def _band(low_hz: float, high_hz: float, rate_hz: int) -> npt.NDArray[np.float64]:
    return scipy.signal.butter(2, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
