"""Interleaved PCM bytes to samples in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cs3_model.types import Float32Array

LOUDEST_FLOAT = 8.0
"""Float samples beyond this (18 dB above full scale) are integers that nobody scaled, not an overshoot."""


@dataclass(frozen=True, slots=True)
class _SampleLayout:
    num_bytes: int
    dtype: str  # NumPy's type of one sample; 3-byte samples become 4-byte ones first
    unsigned: bool = False
    shift: int = 0  # bits above the sample in its container


_LAYOUTS = {
    "S8": _SampleLayout(1, "i1"),
    "S16LE": _SampleLayout(2, "<i2"),
    "S24LE": _SampleLayout(3, "<i4"),
    "S24_32LE": _SampleLayout(4, "<i4", shift=8),
    "S32LE": _SampleLayout(4, "<i4"),
    "U8": _SampleLayout(1, "u1", unsigned=True),
    "U16LE": _SampleLayout(2, "<u2", unsigned=True),
    "U24LE": _SampleLayout(3, "<u4", unsigned=True),
    "U24_32LE": _SampleLayout(4, "<u4", unsigned=True, shift=8),
    "U32LE": _SampleLayout(4, "<u4", unsigned=True),
    "F32LE": _SampleLayout(4, "<f4"),
    "F64LE": _SampleLayout(8, "<f8"),
}
PCM_ENCODINGS = tuple(_LAYOUTS)
"""Names of sample formats; 24_32 is 24 bits in the low bytes of 4."""


def num_sample_bytes(encoding: str) -> int:
    """Bytes of one sample of one channel; the encoding is one of `PCM_ENCODINGS`."""
    return _LAYOUTS[encoding].num_bytes


def decode_pcm(data: bytes | memoryview, *, encoding: str, channels: int) -> Float32Array:
    """Decodes interleaved samples.

    Args:
        data: Raw bytes, little endian.
        encoding: One of `PCM_ENCODINGS`. Integers are divided by their full scale, floats are clipped.
        channels: Number of interleaved channels, at least 1.

    Returns:
        float32 [T, channels] in [-1, 1], in memory of its own.

    Raises:
        ValueError: if the bytes are not whole sample frames, or float samples are not finite or not scaled to 1.
    """
    layout = _LAYOUTS[encoding]
    octets = np.frombuffer(data, np.uint8)
    if octets.size == 0 or octets.size % (layout.num_bytes * channels):
        raise ValueError(
            f"data must be a positive multiple of {layout.num_bytes * channels} bytes "
            f"({channels} channel(s) of {encoding}), got {octets.size}"
        )
    samples = _decode_floats(octets, layout) if layout.dtype[1] == "f" else _decode_integers(octets, layout)
    return samples.reshape(-1, channels)


def _decode_floats(octets: np.ndarray, layout: _SampleLayout) -> Float32Array:
    samples = octets.view(layout.dtype)
    peak = np.abs(samples).max()
    if not peak <= LOUDEST_FLOAT:  # also true for NaN
        raise ValueError(f"float samples must be finite with full scale 1.0, got a peak of {peak:.4g}")
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def _decode_integers(octets: np.ndarray, layout: _SampleLayout) -> Float32Array:
    if layout.num_bytes == 3:
        padded = np.zeros((octets.size // 3, 4), np.uint8)
        padded[:, 1:] = octets.reshape(-1, 3)  # the low byte stays 0: full scale is that of 4 bytes
        octets = padded.reshape(-1)
    values = octets.view(layout.dtype)
    if layout.shift:
        values = values << layout.shift
    half_range = 2.0 ** (8 * values.itemsize - 1)
    samples = values.astype(np.float32 if values.itemsize <= 2 else np.float64)
    if layout.unsigned:
        samples -= half_range
    return (samples / half_range).astype(np.float32)
