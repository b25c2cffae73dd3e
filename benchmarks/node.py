"""What the perception node itself costs, without networks: CPU, lost audio, time to publish, memory.

The node runs in a process of its own, pinned to one core, with parts that compute nothing. A camera and a microphone
in a second process, on the other cores, send 1280x720 rgb8 at 30 Hz and 48 kHz mono in 20 ms chunks with an impact
every second::

    scripts/run python benchmarks/node.py --minutes 10
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "97")
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import psutil
import rclpy
import typer
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from benchmarks.scaffold import Stopwatch, print_header, print_row, where
from benchmarks.sounds import impact
from cs3_model.build import PART_BUILDERS
from cs3_model.onset import OnsetDetector
from cs3_model.pipeline import CollisionPipeline
from cs3_model.types import HandObjects

WIDTH, HEIGHT, FPS = 1280, 720, 30
RATE_HZ, BLOCK_S = 48_000, 0.02
IMPACT_PERIOD_S = 1.0
WARM_UP_S = 5.0
MEMORY_PERIOD_S = 5.0


class NullAudioVisual:
    """Points at the middle of the image."""

    name, trained, masker = "null", True, None

    def embed_image(self, image: Any) -> None: ...

    def embed_audio(self, window: Any) -> None: ...

    def decode(self, image_features: Any, audio_embedding: Any) -> np.ndarray:
        logits = np.full((22, 22), -4.0, np.float32)
        logits[10:12, 10:12] = 4.0
        return logits


class NullHands:
    """Sees no hand."""

    name, trained, names_touched = "null", True, False

    def detect(self, image: Any) -> HandObjects:
        return HandObjects()


class NullBoxes:
    """Fills the box."""

    name, trained = "null", True

    def embed(self, image: Any) -> tuple[int, int]:
        return image.shape[:2]

    def segment(self, embedding: tuple[int, int], boxes_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        masks = np.zeros((len(boxes_xyxy), *embedding), bool)
        for mask, (x_min, y_min, x_max, y_max) in zip(masks, boxes_xyxy.astype(int), strict=True):
            mask[y_min:y_max, x_min:x_max] = True
        return masks, np.ones(len(boxes_xyxy), np.float32)


def run_node(duration_s: float) -> None:
    """The measured process: prints its measurements as one JSON object."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from cs3_ros.perception.node import PerceptionNode
    from cs3_ros.perception.outputs import CollisionOutputs

    for part, null in {"audio_visual": NullAudioVisual, "hands": NullHands, "boxes": NullBoxes}.items():
        PART_BUILDERS[part]["debug"] = lambda *_, null=null: null()
    detector = Stopwatch(OnsetDetector, "push", time.thread_time)
    overheads_ms = time_outputs(CollisionOutputs)
    rclpy.init()
    node = PerceptionNode(parameter_overrides=[Parameter("device", value="cpu")])
    assert node.start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    process = psutil.Process()

    def spin(seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.1)

    while node._listening is None or node._listening.counters["audio_blocks"] == 0:
        spin(0.1)
    spin(WARM_UP_S)
    overheads_ms.clear()
    begin = time.monotonic(), sum(process.cpu_times()[:2]), detector.seconds, node._listening.counters.copy()
    memory_mb = []
    while time.monotonic() - begin[0] < duration_s:
        memory_mb.append(process.memory_info().rss / 2**20)
        spin(min(MEMORY_PERIOD_S, duration_s))
    elapsed_s = time.monotonic() - begin[0]
    counted = node._listening.counters - begin[3]
    result = {
        "elapsed_s": elapsed_s,
        "cpu": (sum(process.cpu_times()[:2]) - begin[1]) / elapsed_s,
        "onset_cpu": (detector.seconds - begin[2]) / elapsed_s,
        "frames": counted["frames"],
        "audio_blocks": counted["audio_blocks"],
        "audio_missing_ms": counted["audio_missing_ms"],
        "overheads_ms": list(overheads_ms),
        "memory_mb": memory_mb,
    }
    node.destroy_node()
    rclpy.shutdown()
    print(json.dumps(result), flush=True)
    os._exit(0)


def time_outputs(outputs: type) -> list[float]:
    """Notes, for each result, the time from its last audio until it was published, less the time in the pipeline."""
    overheads_ms: list[float] = []
    inside_s: list[float] = []
    finish, publish = CollisionPipeline.finish, outputs.publish

    def timed_finish(self: Any, *args: Any, **options: Any) -> Any:
        begin_s = time.monotonic()
        try:
            return finish(self, *args, **options)
        finally:
            inside_s.append(time.monotonic() - begin_s)

    def timed_publish(self: Any, event: Any, outcome: Any) -> None:
        publish(self, event, outcome)
        if outcome.complete_s is not None:
            overheads_ms.append(1e3 * (time.monotonic() - outcome.complete_s - inside_s[-1]))

    CollisionPipeline.finish, outputs.publish = timed_finish, timed_publish
    return overheads_ms


def run_devices() -> None:
    """Camera and microphone, until killed."""
    from builtin_interfaces.msg import Time
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from cs3_ros.conversions.audio import AudioFormat, audio_chunk_msg
    from cs3_ros.qos import publication

    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed - {max(allowed)} or allowed)
    rclpy.init()
    node = rclpy.create_node("devices")
    cameras = node.create_publisher(Image, "image", publication(5))
    from cs3_msgs.msg import AudioChunk

    microphone = node.create_publisher(AudioChunk, "audio", publication(100))
    pixels = array("B")
    pixels.frombytes(np.random.default_rng(0).integers(0, 255, WIDTH * HEIGHT * 3, np.uint8).tobytes())
    image = Image(width=WIDTH, height=HEIGHT, step=3 * WIDTH, encoding="rgb8", data=pixels)
    rng = np.random.default_rng(0)
    sound = 1e-3 * rng.standard_normal(round(IMPACT_PERIOD_S * RATE_HZ))
    hit = 0.5 * impact(rng, RATE_HZ, "ceramic", 0.4)
    sound[4800 : 4800 + hit.size] += hit
    block = round(BLOCK_S * RATE_HZ)
    chunks = [(sound[start : start + block] * 32767).astype("<i2").tobytes() for start in range(0, sound.size, block)]
    audio_format = AudioFormat(sample_rate_hz=RATE_HZ, channels=1, encoding="S16LE")
    begin_ns, num_images, num_blocks = time.time_ns(), 0, 0
    while True:
        image_due_ns = begin_ns + num_images * 10**9 // FPS
        block_due_ns = begin_ns + round((num_blocks + 1) * BLOCK_S * 1e9)
        due_ns = min(image_due_ns, block_due_ns)
        time.sleep(max(0.0, (due_ns - time.time_ns()) / 1e9))
        if due_ns == block_due_ns:
            stamp_ns = begin_ns + round(num_blocks * BLOCK_S * 1e9)
            data = chunks[num_blocks % len(chunks)]
            microphone.publish(audio_chunk_msg(data, audio_format=audio_format, stamp_ns=stamp_ns))
            num_blocks += 1
        else:
            sec, nanosec = divmod(image_due_ns, 10**9)
            image.header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id="camera")
            cameras.publish(image)
            num_images += 1


def measure(duration_s: float) -> dict[str, Any]:
    """Runs both processes and returns what the node measured of itself."""
    command = [sys.executable, str(Path(__file__).resolve())]
    devices = subprocess.Popen([*command, "--devices"])
    try:
        done = subprocess.run(
            [*command, "--node", str(duration_s)], stdout=subprocess.PIPE, text=True, check=True, env=os.environ
        )
    finally:
        devices.kill()
        devices.wait()
    return json.loads(done.stdout.splitlines()[-1])


def report(result: dict[str, Any]) -> None:
    """Prints the Markdown table."""
    memory_mb, overheads_ms = result["memory_mb"], result["overheads_ms"]
    p50, p90, p99 = np.percentile(overheads_ms, [50, 90, 99])
    growth_mb = memory_mb[-1] - memory_mb[len(memory_mb) // 4]
    lost = result["audio_missing_ms"] / 1e3 / BLOCK_S
    rows = [
        ("node, share of one core", f"{100 * result['cpu']:.1f} %", "<= 25 %"),
        ("of it the onset detector", f"{100 * result['onset_cpu']:.2f} %", "<= 1.5 %"),
        ("lost audio blocks", f"{lost:.0f} of {result['audio_blocks']}", "0"),
        ("images taken", f"{result['frames']} of {FPS * result['elapsed_s']:.0f}", ""),
        (f"window complete to published, without pipeline, {len(overheads_ms)} events: p50", f"{p50:.1f} ms", ""),
        ("... p90", f"{p90:.1f} ms", ""),
        ("... p99", f"{p99:.1f} ms", "<= 10 ms"),
        ("memory (RSS) at the end", f"{memory_mb[-1]:.0f} MiB", ""),
        ("its growth after the first quarter", f"{growth_mb:+.1f} MiB", "flat"),
    ]
    print_header("what", "measured", "target")
    for row in rows:
        print_row(*row)
    print(
        f"\n{WIDTH}x{HEIGHT} rgb8 at {FPS} Hz, {RATE_HZ} Hz mono in {1e3 * BLOCK_S:.0f} ms chunks, "
        f"{result['elapsed_s']:.0f} s; {os.environ.get('ROS_DISTRO', 'ROS 2 from pip')}"
    )


def main(
    minutes: Annotated[float, typer.Option(help="Length of the measurement.")] = 1.0,
    node: Annotated[float | None, typer.Option(hidden=True, help="Run the node alone for these seconds.")] = None,
    devices: Annotated[bool, typer.Option("--devices", hidden=True, help="Run camera and microphone alone.")] = False,
) -> None:
    """What the perception node itself costs, with parts that compute nothing."""
    if node is not None:
        run_node(node)
    elif devices:
        run_devices()
    else:
        before = where()  # the load before the measurement, not its own
        report(measure(60 * minutes))
        print(before)


if __name__ == "__main__":
    typer.run(main)
