"""How long one frame and its sound take: upstream libraries one after another, and this pipeline, on the same inputs.

The networks have their full size and random weights, the same on both sides, so the masks can be compared while they
mean nothing. The reference uses each library in the plainest way: transformers' CLIPSeg with its image processor, once
for the frame and once for the crop; BEATs with all blocks; text padded to 77 tokens; torchvision's Faster R-CNN with the
weights and the sampling of Hands23, which stands for the detector's time only (the boxes that follow are the same on
both sides); sam2's image predictor, once per box; distances between masks at full resolution. Both sides run by turns,
so that other load on the machine meets both; processor time, summed over threads, hardly feels it.

    scripts/run python benchmarks/latency.py [--device cuda] [--precision bfloat16] [--compile] [--repeats 20]
"""

from __future__ import annotations

import enum
import resource
from collections.abc import Callable
from typing import Annotated, TypeVar

import cv2
import numpy as np
import torch
import typer

from benchmarks.reference_pipeline import Reference
from benchmarks.scaffold import elapsed, percentiles, print_header, print_row, where
from cs3_model.build import select_device, warm_up
from cs3_model.foundation import prepare_audio_visual, prepare_boxes, prepare_hands
from cs3_model.geometry import intersection_over_union
from cs3_model.networks.audio_visual import (
    AudioVisualNetwork,
    audio_visual_segmenter,
    build_debug_audio_visual_network,
    build_full_audio_visual_network,
)
from cs3_model.networks.hands23 import Hands23Config, Hands23Detector, Hands23Network, build_debug_hand_detector
from cs3_model.networks.hands23.detector import DEBUG_INPUT_SIZE
from cs3_model.networks.hands23.random_weights import random_state_dict
from cs3_model.networks.sam import Sam2Segmenter, build_debug_box_segmenter, build_sam2
from cs3_model.pipeline import CollisionPipeline
from cs3_model.placement import Compilation, Placement, Precision
from cs3_model.types import AudioWindow, CollisionResult, Frame, HandObjects, HeldObject, UInt8Image

Run = TypeVar("Run")


class NetworkSize(str, enum.Enum):
    """Of all networks."""

    FULL = "full"
    DEBUG = "debug"
    """Those of the preset `debug`: to try the command, not to measure."""


class SamSize(str, enum.Enum):
    """The published sizes of SAM 2.1."""

    TINY = "tiny"
    SMALL = "small"
    BASE_PLUS = "base-plus"
    LARGE = "large"


def build_networks(
    sam_size: str, networks: NetworkSize = NetworkSize.FULL
) -> tuple[AudioVisualNetwork, Hands23Network, torch.nn.Module]:
    """Networks with the same random weights at every call, float32 on the CPU."""
    torch.manual_seed(0)
    if networks is NetworkSize.DEBUG:
        audio_visual = build_debug_audio_visual_network().eval()
        return audio_visual, build_debug_hand_detector().network, build_debug_box_segmenter().network
    audio_visual = build_full_audio_visual_network().eval()
    with torch.device("meta"):
        hands = Hands23Network(Hands23Config())
    shapes = {name: tensor.shape for name, tensor in hands.state_dict().items()}
    hands.load_state_dict(random_state_dict(shapes, 0), assign=True)
    return audio_visual, hands.eval(), build_sam2(sam_size)


class FixedBoxes(Hands23Detector):
    """Hands23 whose held objects are always these, so that three boxes are segmented whatever the weights find."""

    def detect(self, image: UInt8Image) -> HandObjects:
        super().detect(image)
        return self.held(image)

    @staticmethod
    def held(image: UInt8Image) -> HandObjects:
        """What it says it found."""
        height, width = image.shape[:2]
        return HandObjects(
            left=HeldObject(box_xyxy=(0.30 * width, 0.5 * height, 0.45 * width, 0.8 * height), score=0.9),
            right=HeldObject(box_xyxy=(0.55 * width, 0.4 * height, 0.75 * width, 0.7 * height), score=0.9),
        )


def build_pipeline(sam_size: str, placement: Placement, networks: NetworkSize = NetworkSize.FULL) -> CollisionPipeline:
    """The `foundation` preset with random weights."""
    audio_visual, hands, sam = build_networks(sam_size, networks)
    input_size = DEBUG_INPUT_SIZE if networks is NetworkSize.DEBUG else None
    return CollisionPipeline(
        audio_visual=audio_visual_segmenter(prepare_audio_visual(audio_visual, placement), name="", trained=False),
        hands=FixedBoxes(prepare_hands(hands, placement), name="", trained=False, input_size=input_size),
        boxes=Sam2Segmenter(prepare_boxes(sam, placement), name="", trained=False),
    )


def make_inputs(width: int, height: int) -> tuple[Frame, AudioWindow]:
    """A picture of coloured patches and two seconds with a click."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (9, 16, 3), np.uint8)
    image = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    t = np.arange(32_000) / 16_000
    click = np.where(t >= 1.0, np.exp(-30 * (t - 1.0)) * np.sin(2 * np.pi * 1800 * t), 0.0)
    samples = 0.5 * click + 0.01 * rng.standard_normal(t.size)
    return Frame(image=np.ascontiguousarray(image)), AudioWindow(samples=samples.astype(np.float32))


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Milliseconds until the result is there, and the result."""
    with elapsed() as taken:
        result = work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    return 1e3 * taken.wall_s, result


def run_pipeline(
    pipeline: CollisionPipeline, frame: Frame, window: AudioWindow
) -> tuple[dict[str, float], CollisionResult]:
    """One event as the node runs it: vision at the onset, the rest when the sound is there."""
    prepare_ms, prepared = timed(lambda: pipeline.prepare(frame))
    finish_ms, result = timed(lambda: pipeline.finish(prepared, window))
    stage_ms = {stage: 1e3 * seconds for stage, seconds in result.stage_s.items()}
    return stage_ms | {"prepare": prepare_ms, "finish": finish_ms, "whole": prepare_ms + finish_ms}, result


def with_processor_time(run: Callable[[], tuple[dict[str, float], Run]]) -> tuple[dict[str, float], Run]:
    """Adds the processor time of all threads to the stages."""
    with elapsed() as taken:
        stage_ms, result = run()
    return stage_ms | {"processor": 1e3 * taken.cpu_s}, result


def print_table(title: str, runs_ms: list[dict[str, float]]) -> None:
    """p50, p90 and p99 of each stage."""
    print(f"\n{title}\n")
    print_header("stage", "p50 ms", "p90 ms", "p99 ms")
    for stage in runs_ms[0]:
        print_row(stage, *percentiles([run[stage] for run in runs_ms]))


def agreement(mine: CollisionResult, theirs: list[np.ndarray]) -> list[float]:
    """IoU of each candidate with the reference's mask of the same role."""
    return [
        intersection_over_union(candidate.mask, mask) for candidate, mask in zip(mine.candidates, theirs, strict=True)
    ]


def measure(
    pipeline: CollisionPipeline, reference: Reference, frame: Frame, window: AudioWindow, repeats: int
) -> tuple[list[dict[str, float]], list[dict[str, float]], dict[str, float]]:
    """Runs both sides by turns.

    Returns:
        Milliseconds of the stages of the pipeline and of the reference, for each repeat; and the mean IoU of the
        candidates' masks with the reference's, by role.
    """
    held = pipeline.hands.held(frame.image)
    reference.run(frame, window, held)
    pipeline_ms, reference_ms, ious = [], [], []
    for _ in range(repeats):
        stages_ms, mine = with_processor_time(lambda: run_pipeline(pipeline, frame, window))
        pipeline_ms.append(stages_ms)
        stages_ms, theirs = with_processor_time(lambda: reference.run(frame, window, held))
        reference_ms.append(stages_ms)
        ious.append(agreement(mine, theirs))
    roles = [candidate.role.name.lower() for candidate in mine.candidates]
    return pipeline_ms, reference_ms, dict(zip(roles, np.mean(ious, axis=0), strict=True))


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    size: Annotated[str, typer.Option(help="Width x height of the frame.")] = "1280x720",
    sam: Annotated[SamSize, typer.Option(help="Size of SAM 2.1.")] = SamSize.BASE_PLUS,
    precision: Annotated[Precision, typer.Option(help="Type of the pipeline's networks.")] = Precision.AUTO,
    compile_networks: Annotated[
        bool, typer.Option("--compile", help="Compile the pipeline's networks; takes minutes.")
    ] = False,
    repeats: Annotated[int, typer.Option(help="Runs of both sides by turns.")] = 5,
    threads: Annotated[int, typer.Option(help="Threads of PyTorch, on the CPU.")] = torch.get_num_threads(),
) -> None:
    """How long one frame and its sound take: upstream libraries one after another, and this pipeline."""
    torch.set_num_threads(threads)
    chosen = select_device(device)
    compilation = Compilation.ALWAYS if compile_networks else Compilation.NEVER
    placement = Placement.choose(chosen, precision, compilation)
    width, height = map(int, size.split("x"))
    frame, window = make_inputs(width, height)

    pipeline = build_pipeline(sam.value, placement)
    warm_up(pipeline, size_hw=(height, width))
    run_pipeline(pipeline, frame, window)
    ram_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    vram_gb = torch.cuda.max_memory_allocated() / 1e9 if chosen.type == "cuda" else 0.0
    reference = Reference(*build_networks(sam.value), device=chosen)
    pipeline_ms, reference_ms, ious = measure(pipeline, reference, frame, window, repeats)

    print(f"{where('torch')}, {threads} threads, on {chosen}\n")
    print(f"{size}, SAM 2.1 {sam.value}, {repeats} repeats by turns")
    print_table("Reference, float32", reference_ms)
    print_table(f"Pipeline, {placement.dtype}{', compiled' if placement.compiled else ''}", pipeline_ms)
    print()
    for measured in ("whole", "processor"):
        ratios = [theirs[measured] / mine[measured] for theirs, mine in zip(reference_ms, pipeline_ms, strict=True)]
        print(f"Reference / pipeline, {measured}: {np.median(ratios):.2f} (median of pairs; least {min(ratios):.2f}).")
    print(f"IoU with the reference's masks: {', '.join(f'{role} {iou:.4f}' for role, iou in ious.items())}.")
    print(f"Peak memory of the pipeline: {ram_gb:.1f} GB RAM{f', {vram_gb:.1f} GB VRAM' if vram_gb else ''}.")


if __name__ == "__main__":
    typer.run(main)
