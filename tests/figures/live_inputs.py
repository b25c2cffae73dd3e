"""A real node with the networks of micro, and a camera and a microphone that feed it in real time with impacts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from cs3_msgs.msg import AudioChunk, Collision
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from benchmarks.sounds import impact
from cs3_ros.conversions.images import image_to_jpeg
from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp, stamp_to_ns
from cs3_ros.qos import publication
from tests.ros.perception.perception_graph import BLOCK_S, RATE_HZ, MediaGraph, sound_chunk

MICRO_NODE = """
from cs3_ros.perception.node import main
main(["perception", "--ros-args", "-p", "preset:=micro"])
"""
"""The real node as users start it."""
IMAGE_TOPIC = "/image/compressed"
_NUM_PICTURES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One collision that the node published."""

    onset_ns: int
    """On the clock of the stamps."""
    reason: str
    latency_s: float
    """As the node says it: from the last piece of sound that was needed to the publication."""
    arrived_s: float
    """Monotonic time of its arrival here, seconds."""


class LiveInputs:
    """A camera and a microphone on the machine's clock; what the node answers is kept without its masks.

    Args:
        graph: Whose node publishes and listens.
        size_wh: Of the pictures, pixels.
        fps: Pictures per second.
        impacts_hz: Impacts per second.
        rain: They come at random times and levels, and ring into each other; else evenly spaced, alike and apart.
    """

    def __init__(
        self, graph: MediaGraph, *, size_wh: tuple[int, int], fps: float, impacts_hz: float, rain: bool = False
    ) -> None:
        self.answers: list[Answer] = []
        self.impacts_ns: list[int] = []
        """Times of the onsets that were played, on the clock of the stamps."""
        self._graph, self._rng = graph, np.random.default_rng(0)
        self._periods_s = {"audio": BLOCK_S, "image": 1 / fps}
        self._impact_period_s = 1 / impacts_hz
        self._due_s = {"audio": 0.0, "image": 0.0}
        self._begin_ns = time.time_ns()
        self._rain = rain
        # Unless it rains one impact fades before the next begins, so that each is an onset of its own.
        ring_s = 0.3 if rain else min(0.3, self._impact_period_s)
        self._hit = 0.5 * impact(np.random.default_rng(1), RATE_HZ, "wood", ring_s)
        self._jpegs = [_jpeg(self._rng, size_wh) for _ in range(_NUM_PICTURES)]
        self._audio = graph.publisher(AudioChunk, "/audio", 1000)
        self._image = graph.publisher(CompressedImage, IMAGE_TOPIC, 30)
        graph.node.create_subscription(Collision, "/perception/collision", self._on_collision, publication(1000))

    def run(self, seconds: float, each_period: Callable[[], None] = lambda: None, period_s: float = 1.0) -> None:
        """Sends for that long; `each_period` is called every so many seconds."""
        first_s = (time.time_ns() - self._begin_ns) / NS_PER_S
        self._due_s = dict.fromkeys(self._due_s, first_s)
        calls = 0
        while (now_s := (time.time_ns() - self._begin_ns) / NS_PER_S) < first_s + seconds:
            for name, period_of_input_s in self._periods_s.items():
                while self._due_s[name] <= now_s:
                    self._send(name, self._due_s[name])
                    self._due_s[name] += period_of_input_s
            self._graph.spin_once()
            del self._graph.collisions[:]  # with masks, an hour of them fills the memory
            if now_s - first_s >= (calls + 1) * period_s:
                calls += 1
                each_period()

    def _send(self, name: str, at_s: float) -> None:
        stamp_ns = self._begin_ns + round(at_s * NS_PER_S)
        if name == "audio":
            self._audio.publish(sound_chunk(self._block(at_s), stamp_ns))
            return
        jpeg = self._jpegs[int(self._rng.integers(_NUM_PICTURES))]
        # A comment behind the first marker: other bytes each time, as from a sensor with noise.
        data = jpeg[:2] + b"\xff\xfe\x00\x0a" + self._rng.bytes(8) + jpeg[2:]
        message = CompressedImage(format="jpeg", data=data)
        message.header = Header(stamp=ns_to_stamp(stamp_ns), frame_id="camera")
        self._image.publish(message)

    def _block(self, at_s: float) -> np.ndarray:
        """Samples [T] of one block: faint noise, and what sounds of the impacts that began until its end."""
        num, first = round(BLOCK_S * RATE_HZ), round(at_s * RATE_HZ)
        samples = 1e-3 * self._rng.standard_normal(num)
        period = self._impact_period_s * RATE_HZ
        for number in range(max(1, int((first - self._hit.size) // period)), int((first + num) // period) + 1):
            start, level = self._drop(number)
            if first <= start < first + num:
                self.impacts_ns.append(self._begin_ns + start * NS_PER_S // RATE_HZ)
            part = level * self._hit[max(0, first - start) : max(0, first + num - start)]
            place = max(0, start - first)
            samples[place : place + part.size] += part[: num - place]
        return np.clip(samples, -1, 1)

    def _drop(self, number: int) -> tuple[int, float]:
        """The first sample of an impact, and its level, in (0, 1]."""
        if not self._rain:
            return round(number * self._impact_period_s * RATE_HZ), 1.0
        within, quieter = np.random.default_rng([7, number]).random(2)
        return round((number + within) * self._impact_period_s * RATE_HZ), float(10.0 ** (-1.5 * quieter))

    def _on_collision(self, message: Collision) -> None:
        self.answers.append(
            Answer(
                onset_ns=stamp_to_ns(message.onset),
                reason=message.reason,
                latency_s=1e-3 * message.latency_ms,
                arrived_s=time.monotonic(),
            )
        )


def num_answered(inputs: LiveInputs, tolerance_s: float = 0.05) -> int:
    """How many impacts have an event at their time."""
    onsets_ns = np.sort([answer.onset_ns for answer in inputs.answers])
    impacts_ns = np.asarray(inputs.impacts_ns)
    if not onsets_ns.size:
        return 0
    places = np.clip(np.searchsorted(onsets_ns, impacts_ns), 1, max(1, onsets_ns.size - 1))
    nearest_ns = np.minimum(
        np.abs(onsets_ns[np.minimum(places, onsets_ns.size - 1)] - impacts_ns),
        np.abs(onsets_ns[places - 1] - impacts_ns),
    )
    return int((nearest_ns < tolerance_s * NS_PER_S).sum())


def _jpeg(rng: np.random.Generator, size_wh: tuple[int, int]) -> bytes:
    """A picture of coarse blobs, as detailed as a room."""
    blobs = rng.integers(0, 255, (size_wh[1] // 40, size_wh[0] // 40, 3), np.uint8)
    return bytes(image_to_jpeg(cv2.resize(blobs, size_wh, interpolation=cv2.INTER_CUBIC), Header()).data)
