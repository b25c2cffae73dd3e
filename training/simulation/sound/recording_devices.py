"""What recordings do to sounds: other rooms and distances, other noises, microphones, level control, codecs.

The world's own microphone (`microphone`) is clean; here is what the audio encoder meets outside of it.
"""

from __future__ import annotations

import io
from typing import NamedTuple, cast

import av
import numpy as np
from scipy.signal import butter, fftconvolve, iirpeak, lfilter, sosfilt

from training.simulation.sound.modes import Sound
from training.simulation.sound.soundscape import BACKGROUNDS, background, coloured_noise, onset_power

CODECS = {"aac": ("mp4", "fltp", 1024), "libopus": ("ogg", "flt", 0), "libmp3lame": ("mp3", "fltp", 0)}
"""Container, sample format, and samples that the decoder gives before the sound begins, by the name of the encoder."""


class Recording(NamedTuple):
    """What a device recorded."""

    samples: Sound
    """[T] in [-1, 1]."""
    snr_db: float
    """Level over the background before the device, see `soundscape.onset_power`."""


def record(
    rng: np.random.Generator, dry: Sound, onset_s: float, rate_hz: int, snr_db: tuple[float, float]
) -> Recording:
    """A dry sound as some device somewhere records it.

    Args:
        rng: Draws the place, the noise and the device.
        dry: What collides [T].
        onset_s: When it sets in.
        rate_hz: Sample rate of `dry` and of what is returned; codecs are left out where they do not know it.
        snr_db: Range of the level over the background.
    """
    sound = _in_a_place(rng, dry, rate_hz)
    level_db = float(rng.uniform(*snr_db))
    level = np.sqrt(onset_power(sound, onset_s, rate_hz)) * 10 ** (-level_db / 20)
    sound = sound + level * _surroundings(rng, len(sound), rate_hz)
    sound = _through_microphone(rng, sound / np.abs(sound).max(), rate_hz)
    if rng.random() < 0.25:
        sound = _level_control(rng, sound, rate_hz)
    if rng.random() < 0.15:
        sound = np.clip(sound / np.abs(sound).max(), *(np.array([-1, 1]) * rng.uniform(0.2, 0.9)))
    if rng.random() < 0.1:
        sound = _noise_gate(rng, sound, rate_hz)
    if rng.random() < 0.35:
        cut = min(float(rng.choice([8000, 11025, 12000, 16000])) * rng.uniform(0.4, 0.49), 0.49 * rate_hz)
        sound = sosfilt(butter(8, cut, fs=rate_hz, output="sos"), sound)
    sound = sound * rng.uniform(0.1, 0.95) / (np.abs(sound).max() + 1e-12)
    if rng.random() < 0.3:
        codec = str(rng.choice(list(CODECS)))
        sound = np.clip(coded(sound, rate_hz, codec, bit_rate=int(rng.choice([24_000, 32_000, 64_000]))), -1.0, 1.0)
    return Recording(samples=sound, snr_db=level_db)


def _in_a_place(rng: np.random.Generator, dry: Sound, rate_hz: int) -> Sound:
    """Early reflections and a diffuse tail, weak near the microphone and stronger than the direct sound far from it."""
    rt60_s = 10 ** rng.uniform(-0.9, 0.1)
    length = int(rt60_s * rate_hz)
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    smooth = rng.uniform(0.0, 0.7)
    tail = lfilter([1.0 - smooth], [1.0, -smooth], tail)
    tail[: int(rng.uniform(0.002, 0.015) * rate_hz)] = 0.0
    response = tail * 10 ** rng.uniform(-1.5, 0.3) / np.sqrt((tail**2).sum())
    for _ in range(rng.integers(0, 5)):
        response[int(rng.uniform(0.0005, 0.02) * rate_hz)] += rng.uniform(-0.8, 0.8)
    response[0] = 1.0
    return fftconvolve(dry, response)[: len(dry)]


def _surroundings(rng: np.random.Generator, length: int, rate_hz: int) -> Sound:
    """Noise of unit power: what the world has, music, or wind."""
    kind = str(rng.choice([*BACKGROUNDS, "music", "wind", "hiss"]))
    if kind in BACKGROUNDS:
        return background(rng, kind, length, rate_hz)
    bed = coloured_noise(rng, length, rate_hz, rng.uniform(0.0, 1.5))
    if kind == "music":
        bed = 0.2 * bed + _music(rng, length, rate_hz)
    elif kind == "wind":
        gusts = coloured_noise(rng, length, rate_hz, 3.0)
        bed = 0.1 * bed + coloured_noise(rng, length, rate_hz, 2.5) * np.exp(0.8 * gusts)
    return bed / bed.std()


def _music(rng: np.random.Generator, length: int, rate_hz: int) -> Sound:
    """Notes of a scale, each of some harmonics that fade."""
    sound = np.zeros(length)
    note = int(rate_hz * rng.uniform(0.12, 0.5))
    time = np.arange(note) / rate_hz
    for start in range(0, length - note, note):
        for _ in range(rng.integers(1, 4)):
            pitch = 110.0 * 2 ** (rng.integers(0, 36) / 12)
            for k in range(1, 6):
                sound[start : start + note] += np.sin(2 * np.pi * k * pitch * time) / k * np.exp(-time * k * 3.0)
    return sound / (sound.std() + 1e-12)


def _through_microphone(rng: np.random.Generator, sound: Sound, rate_hz: int) -> Sound:
    """Loss of bass, resonances, a tilt."""
    if rng.random() < 0.6:
        low = butter(int(rng.integers(1, 3)), 10 ** rng.uniform(1.5, 2.7), "highpass", fs=rate_hz, output="sos")
        sound = sosfilt(low, sound)
    for _ in range(rng.integers(0, 4)):
        b, a = iirpeak(10 ** rng.uniform(2.3, 3.85), rng.uniform(1.0, 5.0), fs=rate_hz)
        sound = sound + rng.uniform(-0.7, 2.0) * lfilter(b, a, sound)
    tilt = rng.uniform(-0.6, 0.6)
    return lfilter([1.0, tilt], [1.0], sound)


def _level_control(rng: np.random.Generator, sound: Sound, rate_hz: int) -> Sound:
    """Compression by the level of the last 5 to 300 ms."""
    share = np.exp(-1.0 / (rate_hz * 10 ** rng.uniform(-2.3, -0.5)))
    level = lfilter([1.0 - share], [1.0, -share], np.abs(sound))
    return sound * (level + 0.01) ** -rng.uniform(0.2, 0.7)


def _noise_gate(rng: np.random.Generator, sound: Sound, rate_hz: int) -> Sound:
    """Mutes what is quiet, with a fade of 20 ms."""
    share = np.exp(-1.0 / (rate_hz * 0.02))
    level = lfilter([1.0 - share], [1.0, -share], np.abs(sound))
    is_open = (level > 10 ** rng.uniform(-2.5, -1.3) * np.abs(sound).max()).astype(float)
    floor = rng.uniform(0.0, 0.1)
    return sound * (floor + (1.0 - floor) * lfilter([1.0 - share], [1.0, -share], is_open))


def coded(sound: Sound, rate_hz: int, codec: str, bit_rate: int) -> Sound:
    """Encodes and decodes a sound [T]; what a decoder gives too little at the end is silence."""
    container, sample_format, before = CODECS[codec]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as target:
        stream = cast(av.AudioStream, target.add_stream(codec, rate=rate_hz, layout="mono"))
        stream.bit_rate = bit_rate
        resampler = av.AudioResampler(format=sample_format, layout="mono", rate=rate_hz)
        frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = rate_hz
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(piece))
        target.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as source:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
        frames = [piece for frame in source.decode(audio=0) for piece in resampler.resample(frame)]
        frames += resampler.resample(None)
    decoded = np.concatenate([frame.to_ndarray()[0] for frame in frames])[before:][: len(sound)].astype(np.float64)
    return np.pad(decoded, (0, len(sound) - len(decoded)))
