"""Latency and memory of the pipeline of `micro` on one core, without ROS, at 640x480.

python benchmarks/micro.py
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from benchmarks.memory import memory_now, memory_of_torch
from cs3_model.build import build_pipeline, load_preset, warm_up
from cs3_model.types import AudioWindow, Frame

SIZE_HW = (480, 640)


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100, help="frames and sounds (default 100)")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    pipeline = build_pipeline(load_preset("micro"), device=torch.device("cpu"))
    warm_up(pipeline, size_hw=SIZE_HW)
    noise = np.random.default_rng(0)
    prepare_ms, finish_ms, finish_cpu_ms = [], [], []
    for _ in range(repeats):
        frame = Frame(image=noise.integers(0, 256, (*SIZE_HW, 3), np.uint8))
        window = AudioWindow(samples=noise.uniform(-0.1, 0.1, 32_000).astype(np.float32))
        start = time.perf_counter()
        prepared = pipeline.prepare(frame)
        middle, processor = time.perf_counter(), time.process_time()
        pipeline.finish(prepared, window)
        finish_cpu_ms.append(1e3 * (time.process_time() - processor))
        finish_ms.append(1e3 * (time.perf_counter() - middle))
        prepare_ms.append(1e3 * (middle - start))
    print(f"{platform.processor() or platform.machine()}, 1 thread, PyTorch {torch.__version__}, {repeats} repeats\n")
    print("| ms | p50 | p90 | p99 |\n|---|---|---|---|")
    rows = (
        ("at the onset (vision)", prepare_ms),
        ("after the last audio sample", finish_ms),
        ("the same, processor time", finish_cpu_ms),
    )
    for name, values in rows:
        print(f"| {name} | " + " | ".join(f"{np.percentile(values, p):.1f}" for p in (50, 90, 99)) + " |")
    whole, torch_alone = memory_now(), memory_of_torch()
    print(f"\nMemory (RSS): {whole}; a process that only imports PyTorch: {torch_alone}; ", end="")
    print(f"so ours: {whole.resident - torch_alone.resident:.0f} MiB")


if __name__ == "__main__":
    main()
