from __future__ import annotations

import struct

import numpy as np
import pytest

from cs3_ros.conversions.pcm import PCM_ENCODINGS, decode_pcm


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("S8", struct.pack("<3b", 64, -128, 0)),
        ("S16LE", struct.pack("<3h", 16384, -32768, 0)),
        ("S24LE", b"\x00\x00\x40" + b"\x00\x00\x80" + b"\x00\x00\x00"),
        ("S24_32LE", b"\x00\x00\x40\x00" + b"\x00\x00\x80\xff" + b"\x00\x00\x00\x00"),
        ("S32LE", struct.pack("<3i", 2**30, -(2**31), 0)),
        ("U8", struct.pack("<3B", 192, 0, 128)),
        ("U16LE", struct.pack("<3H", 49152, 0, 32768)),
        ("U24LE", b"\x00\x00\xc0" + b"\x00\x00\x00" + b"\x00\x00\x80"),
        ("U24_32LE", b"\x00\x00\xc0\x00" + b"\x00\x00\x00\x00" + b"\x00\x00\x80\x00"),
        ("U32LE", struct.pack("<3I", 3 * 2**30, 0, 2**31)),
        ("F32LE", struct.pack("<3f", 0.5, -1.0, 0.0)),
        ("F64LE", struct.pack("<3d", 0.5, -1.0, 0.0)),
    ],
)
def test_half_positive_full_negative_and_zero_are_read_exactly(encoding, data):
    samples = decode_pcm(data, encoding=encoding, channels=1)

    assert samples.dtype == np.float32
    assert samples.tolist() == [[0.5], [-1.0], [0.0]]


def test_every_encoding_has_an_exact_example_above():
    mark = test_half_positive_full_negative_and_zero_are_read_exactly.pytestmark[0]

    assert {encoding for encoding, _ in mark.args[1]} == set(PCM_ENCODINGS)


def test_channels_are_interleaved():
    samples = decode_pcm(struct.pack("<4b", 0, 64, -64, -128), encoding="S8", channels=2)

    assert samples.tolist() == [[0.0, 0.5], [-0.5, -1.0]]


@pytest.mark.parametrize(("num_bytes", "channels"), [(0, 1), (3, 1), (6, 2)])
def test_bytes_that_are_not_whole_sample_frames_are_refused(num_bytes, channels):
    with pytest.raises(ValueError, match=f"multiple of {2 * channels} bytes.*S16LE.*got {num_bytes}"):
        decode_pcm(bytes(num_bytes), encoding="S16LE", channels=channels)


def test_an_overshoot_of_floats_is_clipped():
    assert decode_pcm(struct.pack("<2f", 1.25, -7.5), encoding="F32LE", channels=1).tolist() == [[1.0], [-1.0]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 20000.0])
def test_floats_that_cannot_be_samples_are_refused(value):
    with pytest.raises(ValueError, match=r"finite with full scale 1.0"):
        decode_pcm(struct.pack("<2f", 0.0, value), encoding="F32LE", channels=1)


def test_samples_outlive_changes_of_the_data():
    data = bytearray(struct.pack("<f", 0.5))
    samples = decode_pcm(data, encoding="F32LE", channels=1)

    data[:] = bytes(4)

    assert samples.tolist() == [[0.5]]
