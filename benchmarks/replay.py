"""How fast bags are replayed offline, in how much memory, and what a live replay measures, as Markdown.

    OMP_NUM_THREADS=1 scripts/run python benchmarks/replay.py --seconds 60 --seconds 600 [--live] [--preset NAME]

The bags are made: 640x480 JPEG at 30 frames per second and 48 kHz mono in 20 ms chunks, one collision per second. Each
length is replayed in a process of its own, without video and report, which are not part of the node's work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "96")

import cv2
import numpy as np
import typer

from benchmarks.memory import memory_now, memory_of_torch
from benchmarks.scaffold import elapsed, print_header, print_row, where
from benchmarks.sounds import impact
from cs3_ros.bags.bag_writer import BagWriter
from cs3_ros.default_parameters import default_values
from cs3_ros.perception.parameters import stream_config

WIDTH, HEIGHT, FPS = 640, 480, 30
RATE_HZ, BLOCK_S = 48_000, 0.02
ZERO_NS = 1_000_000_000_000
NUM_PICTURES = 30


def write_bag(path: Path, seconds: int) -> None:
    """Makes the bag; the pictures repeat every second."""
    rng = np.random.default_rng(0)
    pictures = [_picture(rng) for _ in range(NUM_PICTURES)]
    second = _second_of_sound(rng)
    with BagWriter(path) as bag:
        types = bag.typestore.types

        def header(time_ns: int, frame_id: str):
            sec, nanosec = divmod(time_ns, 1_000_000_000)
            stamp = types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
            return types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)

        num_blocks = round(1 / BLOCK_S)
        for number in range(seconds):
            start_ns = ZERO_NS + number * 1_000_000_000
            for index, block in enumerate(second.reshape(num_blocks, -1)):
                time_ns = start_ns + round(index * BLOCK_S * 1e9)
                fields = {"sample_rate": RATE_HZ, "channels": 1, "encoding": "S16LE", "data": block.view(np.uint8)}
                chunk = types["cs3_msgs/msg/AudioChunk"](header=header(time_ns, "microphone"), **fields)
                bag.write("/audio", chunk, time_ns + round(BLOCK_S * 1e9))
            for index, data in enumerate(pictures):
                time_ns = start_ns + index * 1_000_000_000 // FPS
                image = types["sensor_msgs/msg/CompressedImage"](
                    header=header(time_ns, "camera"), format="jpeg", data=data
                )
                bag.write("/image/compressed", image, time_ns)


def _picture(rng: np.random.Generator) -> np.ndarray:
    """Smooth shapes with some noise, about 50 kB."""
    coarse = rng.integers(0, 256, (HEIGHT // 20, WIDTH // 20, 3), np.uint8)
    image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", noisy, (cv2.IMWRITE_JPEG_QUALITY, 80))[1].reshape(-1)


def _second_of_sound(rng: np.random.Generator) -> np.ndarray:
    samples = 5e-4 * rng.standard_normal(RATE_HZ)
    hit = 0.4 * impact(rng, RATE_HZ)
    samples[RATE_HZ // 2 : RATE_HZ // 2 + len(hit)] += hit[: RATE_HZ // 2]
    return np.clip(samples * 32767, -32768, 32767).astype("<i2")


def measure_offline(path: Path, preset: str) -> dict[str, float]:
    """Replays one bag in this process."""
    from cs3_model.build import load_preset, warm_up
    from cs3_ros.bags.bag_reader import RecordedBag
    from cs3_ros.replay.reading.bag_inputs import BagInputs, choose_topics
    from cs3_ros.replay.running.offline import replay_offline
    from cs3_ros.replay.running.one_bag import load_pipeline

    values = {**default_values(), "preset": preset}
    pipeline = load_pipeline(preset, values["device"])
    warm_up(pipeline, size_hw=(HEIGHT, WIDTH))
    loaded_mb = memory_now().resident
    count = 0

    def on_result(event, outcome) -> None:
        nonlocal count
        count += 1

    with RecordedBag(path) as bag:
        inputs = BagInputs(bag, choose_topics(bag), values)
        with elapsed() as taken:
            replay_offline(inputs, pipeline, stream_config(values, load_preset(preset)), on_result)
        return {
            "bag_s": bag.duration_s,
            "bag_mb": sum(file.stat().st_size for file in path.iterdir()) / 1e6,
            "events": count,
            "speed": bag.duration_s / taken.wall_s,
            "cpu_speed": bag.duration_s / taken.cpu_s,
            "loaded_mb": loaded_mb,
            "peak_mb": memory_now().peak,
            "anonymous_mb": memory_now().anonymous,
            "files_mb": memory_now().files,
        }


def measure_live(path: Path, preset: str, out: Path) -> dict:
    """Replays one bag through the node."""
    from cs3_ros.replay.running.bag_evaluation import evaluate_bag
    from cs3_ros.replay.running.options import EvaluationOptions

    return evaluate_bag(
        path, out, EvaluationOptions(values={**default_values(), "preset": preset}, live=True, video=False)
    )


def print_live(path: Path, preset: str, out: Path, seconds: int) -> None:
    """Replays one bag through the node and prints latencies, load and losses."""
    metrics = measure_live(path, preset, out)
    print(f"\nLive, {seconds} s, {metrics['events']['count']} events {metrics['events']['by_reason']}:\n")
    print_header("from", "p50", "p90", "p99")
    for name, summary in metrics["latency_ms"].items():
        print_row(name.replace("_", " "), *(f"{summary[share]:.0f} ms" for share in ("p50", "p90", "p99")))
    live, counters = metrics["live"], metrics["counters"]
    print(
        f"\nNode: {live['cpu_share']:.0%} of one core, {live['memory_peak_mb']:.0f} MiB; lost: "
        f"{counters.get('audio_lost', 0)} blocks of sound, {counters.get('image_lost', 0)} images."
    )


def print_offline(path: Path, preset: str) -> None:
    """Replays one bag in a process of its own and prints a row."""
    command = [sys.executable, __file__, "--one", str(path), "--preset", preset]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row = json.loads(done.stdout.splitlines()[-1])
    print_row(
        f"{row['bag_s']:.0f} s",
        f"{row['bag_mb']:.0f} MB",
        str(row["events"]),
        f"{row['speed']:.1f} x real time",
        f"{row['cpu_speed']:.1f} s",
        f"{row['loaded_mb']:.0f} MiB",
        f"{row['peak_mb']:.0f} MiB",
        f"{row['anonymous_mb']:.0f}, {row['files_mb']:.0f} MiB",
    )


def main(
    seconds: Annotated[list[int], typer.Option(help="Length of a bag; repeat it for several.")] = [60, 300],  # noqa: B006
    preset: Annotated[str, typer.Option(help="Preset; the default is the node's.")] = default_values()["preset"],
    live: Annotated[bool, typer.Option("--live", help="Play the shortest bag to the node too.")] = False,
    one: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Makes bags; measures how fast they are replayed offline, in how much memory, and what a live replay measures."""
    if one is not None:
        print(json.dumps(measure_offline(one, preset)))
        return
    print(f"Preset {preset}; {where('torch')}.\n")
    print(f"Memory (RSS) of a process that only imports PyTorch: {memory_of_torch()}.\n")
    columns = ("bag", "size", "events", "speed", "per processor second", "memory, networks loaded", "memory, peak")
    print_header(*columns, "at the end: anonymous, from files")
    with tempfile.TemporaryDirectory() as folder:
        for length in sorted(seconds):
            bag = Path(folder) / f"bag{length}"
            write_bag(bag, length)
            print_offline(bag, preset)
        if live:
            print_live(Path(folder) / f"bag{min(seconds)}", preset, Path(folder) / "live", min(seconds))


if __name__ == "__main__":
    typer.run(main)
