"""Audio messages of every common package to blocks of samples with the time of their first sample.

The packages disagree on what a stamp means: the first sample of the block, the last one, or a moment before the
driver began to wait for it. Each type's convention is known here; `audio_adapter` can be told otherwise.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from cs3_msgs.msg import AudioChunk

from cs3_model.types import AudioBlock, Float32Array
from cs3_ros.conversions.coded_audio import CodedAudioDetector
from cs3_ros.conversions.pcm import PCM_ENCODINGS, decode_pcm, num_sample_bytes
from cs3_ros.conversions.times import NS_PER_S, check_stamp, ns_to_stamp, stamp_to_ns
from cs3_ros.message_types import message_class

StampReference = Literal["start", "end", "auto"]
RATES_HZ = (4_000, 768_000)
"""Smallest and largest sample rate that is accepted."""
_MAX_CHANNELS = 64
MAX_BLOCK_S = 20.0
"""Sound in one message, seconds: as much as the longest window of the models. Drivers send 0.005 to 1 s."""
_MAX_SAMPLES = 2**24
"""Samples in one message over all channels: 20 s of 16 channels at 48 kHz; 64 MiB once they are floats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFormat:
    """How the bytes of an audio message are to be read.

    Raises:
        ValueError: if rate, channels or encoding cannot be those of PCM audio.
    """

    sample_rate_hz: int
    """4000 to 768000."""
    channels: int
    """Interleaved channels, 1 to 64."""
    encoding: str
    """One of `PCM_ENCODINGS`."""

    def __post_init__(self) -> None:
        for name in ("sample_rate_hz", "channels"):
            if not isinstance(getattr(self, name), (int, np.integer)):
                raise ValueError(f"{name} must be a whole number, got {getattr(self, name)!r}")
        if not RATES_HZ[0] <= self.sample_rate_hz <= RATES_HZ[1]:
            raise ValueError(f"sample rate must be {RATES_HZ[0]} to {RATES_HZ[1]} Hz, got {self.sample_rate_hz}")
        if not 1 <= self.channels <= _MAX_CHANNELS:
            raise ValueError(f"channels must be 1 to {_MAX_CHANNELS}, got {self.channels}")
        if self.encoding not in PCM_ENCODINGS:
            hint = _MP3_HINT if "mp3" in self.encoding.lower() else ""
            raise ValueError(f"encoding {self.encoding!r} is not PCM, accepted: {', '.join(PCM_ENCODINGS)}{hint}")


class AudioAdapter(Protocol):
    """Reads messages of one type."""

    def __call__(self, msg: Any, *, arrival_ns: int) -> AudioBlock:
        """Converts one message that arrived at `arrival_ns`, a time on the clock of the stamps.

        Raises:
            ValueError: if the message is malformed; it names the field.
        """


@dataclass(frozen=True, slots=True)
class _Content:
    data: Any  # a buffer of PCM bytes
    format: AudioFormat
    stamp: Any | None  # None: the type has no stamp


@dataclass(frozen=True, slots=True)
class _Convention:
    read: Callable[[Any, AudioFormat | None], _Content]
    stamped_at: Literal["start", "end"]
    describes_itself: bool = True
    hint: str = ""  # what is most often wrong with messages of this type


_CHUNK_ENCODINGS = {name: name for name in ("S16LE", "S32LE", "F32LE")}


def _read_audio_chunk(msg: Any, _: AudioFormat | None) -> _Content:
    encoding = _look_up("encoding", msg.encoding, _CHUNK_ENCODINGS)
    audio_format = AudioFormat(sample_rate_hz=msg.sample_rate, channels=msg.channels, encoding=encoding)
    return _Content(msg.data, audio_format, msg.header.stamp)


def _read_audio_data(msg: Any, assumed: AudioFormat | None) -> _Content:
    assert assumed is not None
    return _Content(msg.data, assumed, None)


def _read_audio_data_stamped(msg: Any, assumed: AudioFormat | None) -> _Content:
    assert assumed is not None
    return _Content(msg.audio.data, assumed, msg.header.stamp)


_PORTAUDIO_FLAGS = {
    1: ("float32_data", "F32LE"),
    2: ("int32_data", "S32LE"),
    8: ("int16_data", "S16LE"),
    16: ("int8_data", "S8"),
    32: ("uint8_data", "U8"),
}


def _read_audio_stamped(msg: Any, _: AudioFormat | None) -> _Content:
    info, arrays = msg.audio.info, msg.audio.audio_data
    if info.format not in _PORTAUDIO_FLAGS:
        raise ValueError(f"info.format {info.format} is no PortAudio format; accepted: {list(_PORTAUDIO_FLAGS)}")
    expected, encoding = _PORTAUDIO_FLAGS[info.format]
    filled = [field for field, _ in _PORTAUDIO_FLAGS.values() if len(getattr(arrays, field))]
    if filled != [expected]:
        raise ValueError(f"info.format {info.format} needs {expected} filled and no other, got {filled or 'no data'}")
    audio_format = AudioFormat(sample_rate_hz=info.rate, channels=info.channels, encoding=encoding)
    return _Content(memoryview(getattr(arrays, expected)).cast("B"), audio_format, msg.header.stamp)


_INTROLAB_FORMATS = {
    "signed_8": "S8",
    "signed_16": "S16LE",
    "signed_24": "S24LE",
    "signed_padded_24": "S24_32LE",
    "signed_32": "S32LE",
    "unsigned_8": "U8",
    "unsigned_16": "U16LE",
    "unsigned_24": "U24LE",
    "unsigned_padded_24": "U24_32LE",
    "unsigned_32": "U32LE",
    "float": "F32LE",
    "double": "F64LE",
}


def _read_audio_frame(msg: Any, _: AudioFormat | None) -> _Content:
    encoding = _look_up("format", msg.format, _INTROLAB_FORMATS)
    audio_format = AudioFormat(sample_rate_hz=msg.sampling_frequency, channels=msg.channel_count, encoding=encoding)
    return _Content(msg.data, audio_format, msg.header.stamp)


_FOXGLOVE_FORMATS = {"pcm-s16": "S16LE"}


def _read_raw_audio(msg: Any, _: AudioFormat | None) -> _Content:
    encoding = _look_up("format", msg.format, _FOXGLOVE_FORMATS)
    audio_format = AudioFormat(sample_rate_hz=msg.sample_rate, channels=msg.number_of_channels, encoding=encoding)
    return _Content(msg.data, audio_format, msg.timestamp)


def _look_up(field: str, name: str, formats: dict[str, str]) -> str:
    if name not in formats:
        raise ValueError(f"{field} {name!r} is not supported; accepted: {', '.join(formats)}")
    return formats[name]


_MP3_HINT = "; if audio_capture sends mp3, its default, run it with format:=wave"
_CONVENTIONS = {
    "cs3_msgs/msg/AudioChunk": _Convention(_read_audio_chunk, "start"),
    # ros-drivers/audio_common; without a stamp the arrival counts, which is the end of the block
    "audio_common_msgs/msg/AudioData": _Convention(_read_audio_data, "end", describes_itself=False, hint=_MP3_HINT),
    "audio_common_msgs/msg/AudioDataStamped": _Convention(
        _read_audio_data_stamped, "start", describes_itself=False, hint=_MP3_HINT
    ),
    # mgonzs13/audio_common: stamped just before the driver waits for the block
    "audio_common_msgs/msg/AudioStamped": _Convention(_read_audio_stamped, "start"),
    # introlab/audio_utils: the time that the sample count gives after the block
    "audio_utils_msgs/msg/AudioFrame": _Convention(_read_audio_frame, "end"),
    "foxglove_msgs/msg/RawAudio": _Convention(_read_raw_audio, "start"),
}
SUPPORTED_AUDIO_TYPES = tuple(_CONVENTIONS)
"""Types of audio topics that `audio_adapter` knows."""


def audio_adapter(
    topic_type: str,
    *,
    stamp_reference: StampReference = "auto",
    offset_s: float = 0.0,
    assumed_format: AudioFormat | None = None,
) -> tuple[type, AudioAdapter]:
    """Chooses how to read an audio topic.

    Args:
        topic_type: Name of the topic's type, one of `SUPPORTED_AUDIO_TYPES`.
        stamp_reference: Which end of the block the stamp means; "auto" is the type's own convention. For a type
            without stamps it says the same of the arrival time.
        offset_s: Added to every stamp, seconds, for drivers that are early or late by a constant.
        assumed_format: How to read the types that do not say it (AudioData, AudioDataStamped); others ignore it.

    Returns:
        The message class to subscribe with, and the adapter for its messages.

    Raises:
        ValueError: if the type is unknown, its package is not installed or is another one of the same name, or a
            needed `assumed_format` is missing.
    """
    adapter = block_reader(
        topic_type, stamp_reference=stamp_reference, offset_s=offset_s, assumed_format=assumed_format
    )
    return message_class(topic_type), adapter


def block_reader(
    topic_type: str,
    *,
    stamp_reference: StampReference = "auto",
    offset_s: float = 0.0,
    assumed_format: AudioFormat | None = None,
) -> AudioAdapter:
    """Like `audio_adapter`, for messages that rosbags reads from a bag: their package need not be installed."""
    convention = _CONVENTIONS.get(topic_type)
    if convention is None:
        raise ValueError(f"audio type {topic_type!r} is not supported; accepted: {', '.join(SUPPORTED_AUDIO_TYPES)}")
    if assumed_format is None and not convention.describes_itself:
        raise ValueError(f"{topic_type} does not say its sample rate, channels and encoding: set them as parameters")
    if stamp_reference not in ("start", "end", "auto"):
        raise ValueError(f"stamp_reference must be start, end or auto, got {stamp_reference!r}")
    stamped_at = convention.stamped_at if stamp_reference == "auto" else stamp_reference
    name = topic_type.rpartition("/")[2]
    offset_ns = round(offset_s * NS_PER_S)
    detector = CodedAudioDetector()

    def read(msg: Any, *, arrival_ns: int) -> AudioBlock:
        try:
            content = convention.read(msg, assumed_format)
            if coding := detector.coding(bytes(content.data)):
                raise ValueError(
                    f"the bytes are {coding}, not samples: set the driver to send raw "
                    f"{content.format.encoding} samples (audio_capture: format:=wave)"
                )
            samples = decode_samples(content.data, content.format)
        except ValueError as error:
            hint = "" if "audio_capture" in str(error) else convention.hint
            raise ValueError(f"{name}: {error}{hint}") from None
        stamp_ns = arrival_ns if content.stamp is None else stamp_to_ns(content.stamp)
        try:
            check_stamp(stamp_ns)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        rate_hz = content.format.sample_rate_hz
        if stamped_at == "end":
            stamp_ns -= len(samples) * NS_PER_S // rate_hz
        return AudioBlock(samples=samples, sample_rate_hz=rate_hz, stamp_ns=stamp_ns + offset_ns)

    return read


def decode_samples(data: Any, audio_format: AudioFormat) -> Float32Array:
    """Decodes the bytes of one message, if they are not too many; see `decode_pcm` for the result.

    Raises:
        ValueError: if they are more than `MAX_BLOCK_S` seconds, or no samples of that format.
    """
    num_samples = len(data) // num_sample_bytes(audio_format.encoding)
    seconds = num_samples / audio_format.channels / audio_format.sample_rate_hz
    if seconds > MAX_BLOCK_S or num_samples > _MAX_SAMPLES:
        raise ValueError(
            f"{seconds:.1f} s of sound with {audio_format.channels} channel(s) in one message are refused: "
            f"at most {MAX_BLOCK_S:g} s and {_MAX_SAMPLES} samples"
        )
    return decode_pcm(data, encoding=audio_format.encoding, channels=audio_format.channels)


def audio_chunk_msg(
    data: bytes, *, audio_format: AudioFormat, stamp_ns: int, frame_id: str = "microphone"
) -> AudioChunk:
    """Returns a cs3_msgs/AudioChunk of interleaved PCM bytes that start at `stamp_ns`."""
    chunk = AudioChunk(
        sample_rate=audio_format.sample_rate_hz,
        channels=audio_format.channels,
        encoding=audio_format.encoding,
    )
    chunk.data = array("B", data)
    chunk.header.stamp = ns_to_stamp(stamp_ns)
    chunk.header.frame_id = frame_id
    return chunk
