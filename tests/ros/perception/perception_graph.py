"""A real graph with a perception node in it, a camera and a microphone to feed it, and subscriptions to what it publishes."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from cs3_msgs.msg import Collision
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from benchmarks.sounds import impact
from cs3_model.build import PART_BUILDERS
from cs3_ros.conversions.audio import AudioFormat, audio_chunk_msg
from cs3_ros.conversions.images import image_to_jpeg, image_to_msg
from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp
from cs3_ros.perception.node import PerceptionNode
from cs3_ros.qos import publication
from tests.model.conftest import BrightestSpot, FilledBoxes, FixedHands
from tests.ros.conftest import ROOT, Graph

RATE_HZ = 16_000
BLOCK_S = 0.02
FPS = 30
HEIGHT, WIDTH = 64, 96
SPOT_XYXY = (40, 16, 56, 32)
"""Where the picture is bright, and therefore where the hand-made audio-visual part points."""
HELD_XYXY = (50.0, 20.0, 70.0, 40.0)
"""What the hand-made right hand holds; it touches the bright spot."""
START_S = 240.0
"""How long a process may need to import PyTorch on a busy machine."""
WINDOW_S = 0.3
"""Audio that the tests' nodes want before and after an onset: short, so that tests are."""


def use_hand_made_parts(set_item: Callable[[dict, str, Any], None] = operator.setitem) -> dict[str, Any]:
    """Makes the preset `debug` one of parts whose answers are known by hand; returns the parts."""
    parts = {"audio_visual": BrightestSpot(), "hands": FixedHands(None, HELD_XYXY), "boxes": FilledBoxes()}
    for name, part in parts.items():
        set_item(PART_BUILDERS[name], "debug", lambda *_, part=part: part)
    return parts


def picture() -> np.ndarray:
    """A dark picture with a bright spot, RGB uint8 [H, W, 3]."""
    image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    x_min, y_min, x_max, y_max = SPOT_XYXY
    image[y_min:y_max, x_min:x_max] = 255
    return image


def raw_picture(stamp_ns: int) -> Image:
    """The picture as the camera sends it."""
    return image_to_msg(picture(), Header(stamp=ns_to_stamp(stamp_ns), frame_id="camera"))


def jpeg_picture(stamp_ns: int) -> CompressedImage:
    """The picture as a compressing camera sends it."""
    return image_to_jpeg(picture(), Header(stamp=ns_to_stamp(stamp_ns), frame_id="camera"))


def sound_chunk(samples: np.ndarray, stamp_ns: int) -> Any:
    """Samples in [-1, 1] as an AudioChunk of signed 16 bits."""
    audio_format = AudioFormat(sample_rate_hz=RATE_HZ, channels=1, encoding="S16LE")
    return audio_chunk_msg((samples * 32767).astype("<i2").tobytes(), audio_format=audio_format, stamp_ns=stamp_ns)


class MediaGraph(Graph):
    """A camera, a microphone and a listener on a graph with a perception node, wherever that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 1000 * NS_PER_S
        """Time at which the next `play` begins, on the clock of the stamps."""
        self._clients: dict[str, Any] = {}
        self._publishers: dict[str, Any] = {}
        self.collisions = self.listen(Collision, "/perception/collision", depth=100)
        self._diagnostics = self.listen(DiagnosticArray, "/diagnostics")

    # --- what the node says ---

    def wait_until_it_listens(self, node: NodeProcess) -> None:
        """Waits for a node of a process that has just been started: it misses devices as soon as it is active."""
        self.wait_for(lambda: node.has_said("nobody publishes"), "the node", START_S)

    def listen(self, kind: type, topic: str, depth: int = 10) -> list[Any]:
        """Returns a list that grows with each message."""
        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, publication(depth))
        return received

    def status(self) -> tuple[DiagnosticStatus, dict[str, str]]:
        """A diagnostic status made after this call, and its values."""
        del self._diagnostics[:]
        self.wait_for(lambda: len(self._diagnostics) >= 2, "diagnostics")
        status = self._diagnostics[-1].status[0]
        return status, {pair.key: pair.value for pair in status.values}

    def wait_for_problem(self, words: str, repeat: Callable[[], None] = lambda: None) -> str:
        """Waits until the diagnostics name a problem with these words, and returns its line.

        `repeat` is called at the beginning and with each diagnostics: more often, it would fill the node's queues.
        """
        num_repeated = -1

        def found() -> list[str]:
            nonlocal num_repeated
            if num_repeated != len(self._diagnostics):
                num_repeated = len(self._diagnostics)
                repeat()
            pairs = [pair for message in self._diagnostics for pair in message.status[0].values]
            return [pair.value for pair in pairs if pair.key.startswith("problem: ") and words in pair.value]

        del self._diagnostics[:]
        self.wait_for(found, f"a problem that says '{words}'")
        return found()[-1]

    def wait_for_collisions(self, count: int) -> list[Collision]:
        """Waits for that many collisions since the start."""
        self.wait_for(lambda: len(self.collisions) >= count, f"{count} collisions, not {len(self.collisions)}")
        return self.collisions

    # --- what the node hears and sees ---

    def publisher(self, kind: type, topic: str, qos: QoSProfile | int = 100) -> Any:
        """Returns the test's publisher of a topic, made on first use, once somebody listens to it.

        A node that was activated anew listens only after it has looked at the graph; what is sent before is lost.
        """
        if topic not in self._publishers:
            self._publishers[topic] = self.node.create_publisher(kind, topic, qos)
        publisher = self._publishers[topic]
        self.wait_for(publisher.get_subscription_count, f"a subscription of {topic}")
        return publisher

    def play(
        self,
        seconds: float = 1.0,
        onsets_s: Sequence[float] = (0.4,),
        *,
        image: Callable[[int], Any] | None = raw_picture,
        sound: Callable[[np.ndarray, int], Any] | None = sound_chunk,
        image_topic: str = "/image",
        real_time: bool = False,
    ) -> list[int]:
        """Sends camera and microphone for that long, with impacts; returns the times of their onsets, nanoseconds.

        `image` and `sound` make the messages; None leaves the device out. They are sent as fast as they are taken,
        or in real time.
        """
        samples = 1e-3 * np.random.default_rng(self.now_ns).standard_normal(round(seconds * RATE_HZ))
        for number, onset_s in enumerate(onsets_s):
            hit = 0.5 * impact(np.random.default_rng(number), RATE_HZ, "ceramic", 0.3)
            start = round(onset_s * RATE_HZ)
            samples[start : start + hit.size] += hit[: samples.size - start]
        block, due = round(BLOCK_S * RATE_HZ), []
        if sound is not None:
            for start in range(0, samples.size, block):
                stamp_ns = self.now_ns + start * NS_PER_S // RATE_HZ
                message = sound(np.clip(samples[start : start + block], -1, 1), stamp_ns)
                due.append((start / RATE_HZ + BLOCK_S, self.publisher(type(message), "/audio"), message))
        if image is not None:
            for number in range(round(seconds * FPS)):
                message = image(self.now_ns + number * NS_PER_S // FPS)
                due.append((number / FPS, self.publisher(type(message), image_topic), message))
        begin_s = time.monotonic()
        for due_s, publisher, message in sorted(due, key=lambda item: item[0]):
            while real_time and time.monotonic() < begin_s + due_s:
                self.spin_once()
            publisher.publish(message)
            self.spin_once()
        begin_ns, self.now_ns = self.now_ns, self.now_ns + round(seconds * NS_PER_S)
        return [begin_ns + round(onset_s * NS_PER_S) for onset_s in onsets_s]

    def play_until_collision(self, **devices: Any) -> Collision:
        """Plays one impact that must end with masks, and returns its message."""
        before = len(self.collisions)
        self.play(**devices)
        self.play(WINDOW_S + 0.2, (), **devices)
        return self.wait_for_collisions(before + 1)[-1]

    # --- services ---

    def call_async(self, kind: type, name: str, request: Any) -> Any:
        """Sends a request to ``/perception/<name>`` and returns its future."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, f"/perception/{name}")
            self.wait_for(self._clients[name].service_is_ready, f"the service {name}")
        return self._clients[name].call_async(request)

    def call(self, kind: type, name: str, request: Any) -> Any:
        """Sends a request and waits for the response."""
        future = self.call_async(kind, name, request)
        self.wait_for(future.done, f"an answer of {name}")
        return future.result()


class NodeProcess:
    """Python code in a process of its own, on the same graph, and the lines that it writes; killed at the end."""

    def __init__(self, code: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
        command = [sys.executable, "-c", code, *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        self._lines: list[str] = []
        self._reader = threading.Thread(target=lambda: self._lines.extend(iter(self.process.stderr.readline, "")))
        self._reader.start()

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def has_said(self, words: str) -> bool:
        """Whether a line with these words has come."""
        return any(words in line for line in self._lines)

    def output(self) -> str:
        """Everything that an ended process has said."""
        self._reader.join()
        return "".join(self._lines)


class PerceptionGraph(MediaGraph):
    """The same with a perception node beside it, in this process and spun by the test."""

    def __init__(self, parameters: dict[str, Any], parts: dict[str, Any]) -> None:
        super().__init__()
        defaults = {
            "preset": "debug",
            "audio_pre_s": WINDOW_S,
            "audio_post_s": WINDOW_S,
            "patience_s": 2.0,  # a busy machine may deliver images that much later than the sound
            # Tests send as fast as they can, real drivers do not.
            "qos_overrides./image.subscription.depth": 100,
            "qos_overrides./audio.subscription.depth": 1000,
        }
        overrides = [Parameter(name, value=value) for name, value in {**defaults, **parameters}.items()]
        self.perception = PerceptionNode(context=self.context, parameter_overrides=overrides)
        self.parts = parts
        """The hand-made parts of its pipeline."""
        self._executor.add_node(self.perception)

    def close(self) -> None:
        self.perception.destroy_node()
        super().close()
