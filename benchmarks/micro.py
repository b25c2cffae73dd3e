"""Latency and memory of the pipeline of `micro` on one core, without ROS, at 640x480.

scripts/run python benchmarks/micro.py
"""

from __future__ import annotations

import os
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import typer

from benchmarks.memory import memory_now, memory_of_torch
from benchmarks.scaffold import elapsed, percentiles, print_header, print_row, where
from cs3_model.build import build_pipeline, load_preset, warm_up
from cs3_model.types import AudioWindow, Frame

SIZE_HW = (480, 640)


def frames_around(noise: np.random.Generator) -> tuple[Frame, Frame, Frame]:
    """Before, at and after an onset: noise that the camera shifts, and a square that moves otherwise and then stands."""
    scene = noise.integers(0, 256, (*SIZE_HW, 3), np.uint8)
    square = noise.integers(0, 256, (80, 80, 3), np.uint8)
    frames = []
    for shift, column in ((0, 240), (2, 260), (4, 262)):
        image = np.roll(scene, shift, axis=1)
        image[200:280, column : column + 80] = square
        frames.append(Frame(image=image))
    return frames[0], frames[1], frames[2]


def main(
    repeats: Annotated[int, typer.Option(help="Frames and sounds.")] = 100,
    preset: Annotated[str, typer.Option(help="micro, or a file with its parts.")] = "micro",
) -> None:
    """Latency and memory of the pipeline of `micro` on one core, without ROS, at 640x480."""
    torch.set_num_threads(1)
    pipeline = build_pipeline(load_preset(preset), device=torch.device("cpu"))
    warm_up(pipeline, size_hw=SIZE_HW)
    noise = np.random.default_rng(0)
    prepare_ms, finish_ms, finish_cpu_ms = [], [], []
    for _ in range(repeats):
        before, frame, after = frames_around(noise)
        window = AudioWindow(samples=noise.uniform(-0.1, 0.1, 32_000).astype(np.float32))
        with elapsed() as vision:
            prepared = pipeline.prepare(frame, before)
        with elapsed() as rest:
            pipeline.finish(prepared, window, after)
        prepare_ms.append(1e3 * vision.wall_s)
        finish_ms.append(1e3 * rest.wall_s)
        finish_cpu_ms.append(1e3 * rest.cpu_s)
    print(f"{where('torch')}, 1 thread, {repeats} repeats\n")
    print_header("ms", "p50", "p90", "p99")
    rows = (
        ("at the onset (vision)", prepare_ms),
        ("after the last audio sample", finish_ms),
        ("the same, processor time", finish_cpu_ms),
    )
    for name, values in rows:
        print_row(name, *percentiles(values))
    whole, torch_alone = memory_now(), memory_of_torch()
    print(f"\nMemory (RSS): {whole}; a process that only imports PyTorch: {torch_alone}; ", end="")
    print(f"so ours: {whole.resident - torch_alone.resident:.0f} MiB")


if __name__ == "__main__":
    typer.run(main)
