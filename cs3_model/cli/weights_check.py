"""The checks of `cs3 weights check`, each with the part that it asks built for it alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from cs3_model.build import build_pipeline, load_preset, select_device
from cs3_model.cli.hands23 import read_example
from cs3_model.foundation import build_boxes, build_hands, load_beats, load_clipseg, load_tokenizer
from cs3_model.foundation_check import RED_MUG, CheckResult, check_beats, check_boxes, check_clipseg, run_check
from cs3_model.networks.hands23 import compare_detections
from cs3_model.networks.text_prompt import encode_tokens
from cs3_model.placement import Compilation, Placement, Precision
from cs3_model.types import AudioWindow, Frame
from cs3_model.weights import WeightFile, find_weights, verify
from cs3_model.weights.registry import FOUNDATION


def foundation_checks(device: str, hands_image: Path | None, hands_result: Path | None) -> Iterator[CheckResult]:
    """Runs all checks in float32, one after the other.

    Args:
        device: auto, cpu, cuda or cuda:N.
        hands_image: The picture of Hands23's demo; None: that comparison is left out.
        hands_result: What its authors found in it.

    Raises:
        ValueError: if the device is not there, or only one of both files is given.
    """
    if (hands_image is None) != (hands_result is None):
        raise ValueError("--hands-image and --hands-result belong together")
    chosen = select_device(device)
    placement = Placement.choose(chosen, Precision.FLOAT32, Compilation.NEVER)
    for weights in find_weights(FOUNDATION):
        yield run_check(f"hash of {weights.name}", partial(_hash, weights))
    yield run_check("beats, made sounds", lambda: _beats(chosen))
    yield run_check("clipseg, a red mug among others", lambda: _clipseg(chosen))
    yield run_check("sam2.1, a disc", lambda: check_boxes(build_boxes("base-plus", placement)))
    if hands_image is not None and hands_result is not None:
        yield run_check("hands23, its own demo", lambda: _hands(placement, hands_image, hands_result))
        yield run_check("the whole, once", lambda: _whole(chosen, hands_image, hands_result))


def _hash(weights: WeightFile) -> tuple[bool, str]:
    return True, verify(weights)


def _beats(device: torch.device) -> tuple[bool, str]:
    beats, checkpoint = load_beats()
    return check_beats(beats.eval().to(device), checkpoint.extras["label_dict"])


@torch.inference_mode()
def _clipseg(device: torch.device) -> tuple[bool, str]:
    clipseg = load_clipseg().eval().to(device)
    return check_clipseg(clipseg, encode_tokens(clipseg.model.clip, load_tokenizer()(RED_MUG).input_ids))


def _hands(placement: Placement, image: Path, result: Path) -> tuple[bool, str]:
    pixels, reference = read_example(image, result)
    agreement = compare_detections(build_hands(placement).detect_hands(pixels), reference)
    detail = (
        f"{len(agreement.hands)} hands as published, {agreement.num_missing} missing, {agreement.num_extra} too many"
    )
    return agreement.agrees, detail


def _whole(device: torch.device, image: Path, result: Path) -> tuple[bool, str]:
    """That it runs, and where the time goes: what it should find in the picture nobody has published."""
    pixels, _ = read_example(image, result)
    pipeline = build_pipeline(load_preset("foundation"), device=device)
    noise = 0.1 * torch.randn(32_000, generator=torch.Generator().manual_seed(0))
    found = pipeline.process(Frame(image=pixels), AudioWindow(samples=noise.clamp(-1, 1).numpy()))
    stages = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in found.stage_s.items())
    return True, f"{found.verdict.name}, first run: {stages}"
