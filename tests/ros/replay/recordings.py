"""Small bags with known collisions: a bright spot that is hit, in every form in which bags are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore

from benchmarks.sounds import impact
from cs3_ros.message_types import typestore_with_cs3_msgs

NS = 1_000_000_000
ZERO_S = 1000
RATE_HZ, BLOCK_S, FPS = 16_000, 0.02, 20
HEIGHT, WIDTH = 64, 96
SPOT_XYXY = (40, 16, 56, 32)
AUDIO_CHUNK = "cs3_msgs/msg/AudioChunk"


def picture() -> np.ndarray:
    """A dark picture with a bright spot, RGB uint8 [H, W, 3]."""
    image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    x_min, y_min, x_max, y_max = SPOT_XYXY
    image[y_min:y_max, x_min:x_max] = 255
    return image


def sound(seconds: float, onsets_s: Sequence[float]) -> np.ndarray:
    """A quiet room with impacts, int16 [T]."""
    rng = np.random.default_rng(0)
    samples = 1e-3 * rng.standard_normal(round(seconds * RATE_HZ))
    for onset_s in (onset_s for onset_s in onsets_s if onset_s < seconds):
        start = round(onset_s * RATE_HZ)
        hit = 0.5 * impact(rng, RATE_HZ)[: len(samples) - start]
        samples[start : start + len(hit)] += hit
    return np.clip(samples * 32767, -32768, 32767).astype("<i2")


def write_recording(
    path: Path,
    *,
    seconds: float = 2.5,
    onsets_s: Sequence[float] = (1.01,),
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode | None = None,
    raw_images: bool = False,
    audio_type: str = AUDIO_CHUNK,
    audio_definitions: dict[str, str] | None = None,
    audio_fields: Any = None,
    audio_shift_s: float = 0.0,
    audio_drift_ppm: float = 0.0,
    extra: Sequence[tuple[float, str, str, dict[str, Any]]] = (),
) -> Path:
    """Writes a bag.

    Args:
        path: Folder to make.
        seconds: Length.
        onsets_s: When the spot is hit.
        storage: Format of the file.
        compression: None, of each message or of the file.
        raw_images: rgb8 instead of PNG.
        audio_type: Type of the topic /audio.
        audio_definitions: Definitions of types that are not common.
        audio_fields: Function from types, header and PCM int16 [T] to the fields of an audio message.
        audio_shift_s: Added to the stamps of the sound, but not to when it was received.
        audio_drift_ppm: Added too, for each second that has passed: microseconds.
        extra: More messages: time, topic, type and fields.
    """
    typestore = typestore_with_cs3_msgs()
    for name, text in (audio_definitions or {}).items():
        typestore.register(get_types_from_msg(text, name))
    make = _Maker(typestore)
    audio_fields = audio_fields or make.audio_chunk
    samples, size = sound(seconds, onsets_s), round(BLOCK_S * RATE_HZ)
    messages: list[tuple[float, str, str, dict[str, Any]]] = list(extra)
    for start in range(0, len(samples), size):
        block, begin_s = samples[start : start + size], start / RATE_HZ
        header = make.header(begin_s * (1 + 1e-6 * audio_drift_ppm) + audio_shift_s, "microphone")
        messages.append((begin_s + BLOCK_S, "/audio", audio_type, audio_fields(make, header, block)))
    for number in range(round(seconds * FPS)):
        header = make.header(number / FPS, "camera")
        topic, kind, fields = make.raw(header) if raw_images else make.png(header)
        messages.append((number / FPS, topic, kind, fields))
    writer = Writer(path, version=9, storage_plugin=storage)
    if compression is not None:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections: dict[str, Any] = {}
        for time_s, topic, kind, fields in sorted(messages, key=lambda message: message[0]):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=typestore)
            data = typestore.serialize_cdr(typestore.types[kind](**fields), kind)
            writer.write(connections[topic], round((ZERO_S + time_s) * NS), data)
    return path


class _Maker:
    def __init__(self, typestore: Typestore) -> None:
        self.types = typestore.types

    def header(self, time_s: float, frame_id: str) -> Any:
        sec, nanosec = divmod(round((ZERO_S + time_s) * NS), NS)
        stamp = self.types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
        return self.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)

    @staticmethod
    def audio_chunk(make: _Maker, header: Any, block: np.ndarray) -> dict[str, Any]:
        return {
            "header": header,
            "sample_rate": RATE_HZ,
            "channels": 1,
            "encoding": "S16LE",
            "data": block.view(np.uint8),
        }

    @staticmethod
    def png(header: Any) -> tuple[str, str, dict[str, Any]]:
        data = cv2.imencode(".png", picture())[1].reshape(-1)
        return "/image/compressed", "sensor_msgs/msg/CompressedImage", {"header": header, "format": "png", "data": data}

    @staticmethod
    def raw(header: Any) -> tuple[str, str, dict[str, Any]]:
        fields = {"height": HEIGHT, "width": WIDTH, "encoding": "rgb8", "is_bigendian": 0, "step": 3 * WIDTH}
        return "/image", "sensor_msgs/msg/Image", {"header": header, **fields, "data": picture().reshape(-1)}


def cut(bag: Path, share: float) -> Path:
    """Cuts the only storage file of a bag, as a full disk would."""
    (file,) = (path for path in bag.iterdir() if path.name != "metadata.yaml")
    data = file.read_bytes()
    file.write_bytes(data[: round(share * len(data))])
    return bag
