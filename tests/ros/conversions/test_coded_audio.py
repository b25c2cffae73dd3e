"""Compressed sound is not taken for samples, and samples not for compressed sound."""

from __future__ import annotations

import io
import wave
from types import SimpleNamespace

import av
import numpy as np
import pytest

from cs3_ros.conversions.audio import AudioFormat, block_reader
from cs3_ros.conversions.coded_audio import CodedAudioDetector

pytestmark = pytest.mark.ros

DATA = "audio_common_msgs/msg/AudioData"


def coded(container: str, codec: str, rate_hz: int, bit_rate: int, seconds: float = 3.0) -> list[bytes]:
    """A quiet room as packets of a codec."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz)
        stream.bit_rate, stream.layout = bit_rate, "mono"
        samples = np.random.default_rng(0).normal(0, 100, round(seconds * rate_hz)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        resampled = av.AudioResampler(format=stream.codec_context.format or "s16", layout="mono", rate=rate_hz)
        packets = [packet for part in resampled.resample(frame) for packet in stream.encode(part)]
        packets += stream.encode(None)
        content = [bytes(packet) for packet in packets if packet.size]
        output.mux(packets)
    return [file.getvalue()] if container != "mp3" else content


MP3 = [(16_000, 128_000), (16_000, 64_000), (44_100, 128_000), (48_000, 192_000), (22_050, 32_000)]


@pytest.mark.parametrize(("rate_hz", "bit_rate"), MP3)
@pytest.mark.parametrize("block_bytes", [0, 300, 1_000, 4_096])
def test_mp3_is_refused_however_it_is_cut_into_messages(rate_hz, bit_rate, block_bytes) -> None:
    """Where messages are the encoder's packets all are refused, else all but what comes before three frames."""
    packets = coded("mp3", "libmp3lame", rate_hz, bit_rate)
    if block_bytes:
        data = b"".join(packets)
        packets = [data[at : at + block_bytes] for at in range(0, len(data) - block_bytes, block_bytes)]
    detector = CodedAudioDetector()
    found = [detector.coding(packet) for packet in packets]

    longest = 72 * 192_000 // 22_050 * 4
    passed = found.count(None)
    assert found[passed:] == ["MP3"] * (len(found) - passed)
    assert passed * (block_bytes or 1) <= (longest if block_bytes else 0)


def test_a_receiver_that_comes_late_recognises_aac() -> None:
    (data,) = coded("adts", "aac", 16_000, 48_000)
    detector = CodedAudioDetector()
    found = [detector.coding(data[at : at + 640]) for at in range(777, len(data) - 640, 640)]

    assert found[-1] == "AAC" and found.count(None) <= 4


@pytest.mark.parametrize(
    ("container", "codec", "name"), [("flac", "flac", "FLAC"), ("ogg", "libopus", "Ogg"), ("mp4", "aac", "MP4")]
)
def test_containers_are_recognised_by_their_beginning(container, codec, name) -> None:
    (data,) = coded(container, codec, 48_000, 64_000, seconds=0.5)

    assert CodedAudioDetector().coding(data[:640]).startswith(name)


def test_the_refusal_says_what_to_set() -> None:
    read = block_reader(DATA, assumed_format=AudioFormat(sample_rate_hz=16_000, channels=1, encoding="S16LE"))
    riff = io.BytesIO()
    with wave.open(riff, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(640))

    with pytest.raises(ValueError, match=r"AudioData: the bytes are a WAV file, not samples: .*format:=wave"):
        read(SimpleNamespace(data=riff.getvalue()), arrival_ns=10**10)


@pytest.mark.parametrize("dtype", ["<i2", "<i4", "<f4", "u1"])
@pytest.mark.parametrize("kind", ["silence", "hum", "room", "loud", "negative"])
def test_samples_are_not_taken_for_compressed_sound(dtype, kind) -> None:
    """A minute of each."""
    rng = np.random.default_rng(1)
    size = 16_000 * 60 if dtype == "<i2" else 16_000 * 10
    sound = {
        "silence": np.zeros(size),
        "hum": 0.01 * np.sin(np.arange(size) / 16_000 * 2 * np.pi * 50),
        "room": rng.normal(0, 0.003, size),
        "loud": rng.uniform(-1, 1, size),
        "negative": np.full(size, -1 / 32_768) * rng.integers(0, 2, size),
    }[kind]
    scale = {"<i2": 32_767, "<i4": 2**31 - 129, "<f4": 1.0, "u1": 127}[dtype]
    data = (sound * scale + (128 if dtype == "u1" else 0)).astype(dtype).tobytes()
    detector = CodedAudioDetector()

    assert {detector.coding(data[at : at + 640]) for at in range(0, len(data), 640)} == {None}
