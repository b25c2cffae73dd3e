"""All that a GPU has to answer, in one command: latency against the aims, bfloat16 against float32, and the stored weights.

    scripts/run python benchmarks/on_gpu.py --out docs/gpu.md         # some ten minutes, compilation included
    scripts/run python benchmarks/on_gpu.py --device cpu --networks debug --repeats 2   # goes through it without a GPU

Reference and pipeline are those of `latency.py`: full size, random weights, the same inputs, by turns. What `cs3 weights
check` asks is asked where the weights are stored. Exit code 1: a check of the weights failed; missed aims are only marked.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.latency import (
    NetworkSize,
    SamSize,
    agreement,
    build_networks,
    build_pipeline,
    make_inputs,
    measure,
    run_pipeline,
)
from benchmarks.reference_pipeline import Reference
from benchmarks.scaffold import print_header, print_row, where
from cs3_model.build import release_memory, select_device, warm_up
from cs3_model.cli.weights_check import foundation_checks
from cs3_model.hints import cs3_command
from cs3_model.placement import Compilation, Placement, Precision
from cs3_model.types import CollisionResult
from cs3_model.weights import WEIGHTS, stored_path
from cs3_model.weights.registry import FOUNDATION

FINISH_MS, WHOLE_MS, RATIO, IOU, MEMORY_GB = 20.0, 45.0, 3.0, 0.98, 8.0
"""The aims on a GPU: after the sound, in all, times as fast as the reference, IoU with float32, and memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """What was measured of the pipeline in one precision, beside the reference."""

    stages_ms: dict[str, float]
    """Median of each stage."""
    reference_ms: dict[str, float]
    ratio: float
    """Times as fast as the reference, median of pairs."""
    result: CollisionResult
    memory_gb: float
    """Peak of the device; 0 on the CPU."""


def measure_side(
    device: torch.device, precision: Precision, compiled: bool, sam: str, networks: NetworkSize, repeats: int
) -> Side:
    """Builds the pipeline in a precision and measures it and the reference by turns."""
    typer.echo(f"measuring in {precision.value}{', after compiling' if compiled else ''} ...", err=True)
    release_memory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    placement = Placement.choose(device, precision, Compilation.ALWAYS if compiled else Compilation.NEVER)
    frame, window = make_inputs(1280, 720)
    pipeline = build_pipeline(sam, placement, networks)
    warm_up(pipeline)
    _, result = run_pipeline(pipeline, frame, window)
    memory_gb = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    reference = Reference(*build_networks(sam, networks), device=device, is_debug=networks is NetworkSize.DEBUG)
    mine, theirs, _ = measure(pipeline, reference, frame, window, repeats)
    return Side(
        stages_ms={stage: float(np.median([run[stage] for run in mine])) for stage in mine[0]},
        reference_ms={stage: float(np.median([run[stage] for run in theirs])) for stage in theirs[0]},
        ratio=float(np.median([other["whole"] / own["whole"] for own, other in zip(mine, theirs, strict=True)])),
        result=result,
        memory_gb=memory_gb,
    )


def print_stages(full: Side, rounded: Side) -> None:
    """p50 of each stage of both, and of the reference."""
    print("\n## Stages, p50, ms\n")
    print_header("stage", "reference, float32", "pipeline, float32", "pipeline, bfloat16")
    for stage, full_ms in full.stages_ms.items():
        theirs = full.reference_ms.get(stage)
        print_row(stage, "" if theirs is None else f"{theirs:.1f}", f"{full_ms:.1f}", f"{rounded.stages_ms[stage]:.1f}")


def print_aims(full: Side, rounded: Side, on_cuda: bool) -> None:
    """Each aim, what was measured in bfloat16, and whether it is reached."""
    iou = min(agreement(rounded.result, [candidate.mask for candidate in full.result.candidates]))
    rows = [
        ("after the sound (`finish`), ms", f"<= {FINISH_MS:g}", rounded.stages_ms["finish"], FINISH_MS, False),
        ("whole, ms", f"<= {WHOLE_MS:g}", rounded.stages_ms["whole"], WHOLE_MS, False),
        ("times as fast as the reference", f">= {RATIO:g}", rounded.ratio, RATIO, True),
        ("least IoU of a mask with float32", f">= {IOU:g}", iou, IOU, True),
    ]
    if on_cuda:
        rows.append(("peak memory of the pipeline, GB", f"<= {MEMORY_GB:g}", rounded.memory_gb, MEMORY_GB, False))
    print("\n## Aims, in bfloat16\n")
    print_header("", "wanted", "measured", "")
    for name, wanted, value, limit, is_least in rows:
        is_met = value >= limit if is_least else value <= limit
        print_row(name, wanted, f"{value:.4g}", "reached" if is_met else "**missed**")


def print_weights(device: str, hands_image: Path | None, hands_result: Path | None) -> bool:
    """What `cs3 weights check` says; whether nothing failed."""
    print("\n## The stored weights\n")
    missing = [name for name in FOUNDATION if stored_path(WEIGHTS[name]) is None]
    if missing:
        print(f"Not on this machine: {', '.join(missing)}; run: {cs3_command('weights fetch')}")
        return True
    passed = True
    for result in foundation_checks(device, hands_image, hands_result):
        print(f"- {result}")
        passed &= result.passed
    return passed


def main(
    out: Annotated[Path | None, typer.Option(help="Also write the page here, Markdown.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    networks: Annotated[NetworkSize, typer.Option(help="debug: to try this command.")] = NetworkSize.FULL,
    sam: Annotated[SamSize, typer.Option(help="Size of SAM 2.1.")] = SamSize.BASE_PLUS,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each side by turns.")] = 50,
    compile_networks: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="The bfloat16 networks; by default on CUDA.")
    ] = None,
    hands_image: Annotated[Path | None, typer.Option(help="As of `cs3 weights check`.")] = None,
    hands_result: Annotated[Path | None, typer.Option(help="As of `cs3 weights check`.")] = None,
) -> None:
    """Measure latency, precision and weights on this machine's GPU, and write one page about it."""
    chosen = select_device(device)
    on_cuda = chosen.type == "cuda"
    compiled = on_cuda if compile_networks is None else compile_networks
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        name = torch.cuda.get_device_name(chosen) if on_cuda else "CPU"
        print(f"# `foundation` on {name}\n\n{where('torch')}.")
        print(f"Networks: {networks.value}, random weights; SAM 2.1 {sam.value}; 1280x720; {repeats} repeats by turns;")
        print(f"bfloat16 {'compiled' if compiled else 'not compiled'}, float32 not compiled.")
        full = measure_side(chosen, Precision.FLOAT32, False, sam.value, networks, repeats)
        rounded = measure_side(chosen, Precision.BFLOAT16, compiled, sam.value, networks, repeats)
        print_stages(full, rounded)
        print_aims(full, rounded, on_cuda)
        passed = print_weights(device, hands_image, hands_result)
    print(page.getvalue())
    if out is not None:
        out.write_text(page.getvalue(), encoding="utf-8")
    if not passed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
