"""The checks of `cs3 weights check`, each with the part that it asks built for it alone, or twice where two are compared."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from cs3_model.build import build_pipeline, load_preset, select_device
from cs3_model.cli.hands23 import read_example
from cs3_model.foundation import build_boxes, build_hands, load_beats, load_clipseg, load_tokenizer
from cs3_model.foundation_check import (
    RED_MUG,
    CheckResult,
    check_beats,
    check_beats_rounded,
    check_boxes,
    check_boxes_rounded,
    check_clipseg,
    check_clipseg_rounded,
    check_hands,
    run_check,
)
from cs3_model.networks.beats import BEATs
from cs3_model.networks.clipseg import ConditionedCLIPSeg
from cs3_model.networks.text_prompt import encode_tokens
from cs3_model.placement import Compilation, Placement, Precision
from cs3_model.provenance import machine, package_versions, source_commit
from cs3_model.types import AudioWindow, Frame, UInt8Image
from cs3_model.weights import WeightFile, find_weights, verify
from cs3_model.weights.registry import FOUNDATION


def foundation_checks(device: str, hands_image: Path | None, hands_result: Path | None) -> Iterator[CheckResult]:
    """Runs all checks one after the other: in float32, and each network in bfloat16 against that.

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
    full, rounded = (
        Placement.choose(chosen, precision, Compilation.NEVER) for precision in (Precision.FLOAT32, Precision.BFLOAT16)
    )
    for weights in find_weights(FOUNDATION):
        yield run_check(f"hash of {weights.name}", partial(_hash, weights))
    yield run_check("beats, made sounds", lambda: _beats(full))
    yield run_check("clipseg, a red mug among others", lambda: _clipseg(full))
    yield run_check("sam2.1, a disc", lambda: check_boxes(build_boxes("base-plus", full)))
    yield run_check("beats in bfloat16", lambda: check_beats_rounded(_placed_beats(full), _placed_beats(rounded)))
    yield run_check("clipseg in bfloat16", lambda: _clipseg_rounded(full, rounded))
    yield run_check(
        "sam2.1 in bfloat16",
        lambda: check_boxes_rounded(build_boxes("base-plus", full), build_boxes("base-plus", rounded)),
    )
    if hands_image is not None and hands_result is not None:
        pixels, reference = read_example(hands_image, hands_result)
        yield run_check("hands23, its own demo", lambda: check_hands(build_hands(full), pixels, reference))
        yield run_check("hands23 in bfloat16", lambda: check_hands(build_hands(rounded), pixels, reference))
        yield run_check("the whole, once", lambda: _whole(chosen, pixels))


def machine_line(device: str) -> str:
    """Where the checks run: machine, device, versions and commit, for a report.

    Raises:
        ValueError: if the device is not there.
    """
    chosen = select_device(device)
    versions = ", ".join(
        f"{package} {version}" for package, version in package_versions("torch", "transformers").items()
    )
    return f"{machine()}, on {chosen}; {versions}; commit {source_commit()}"


def _hash(weights: WeightFile) -> tuple[bool, str]:
    return True, verify(weights)


def _beats(placement: Placement) -> tuple[bool, str]:
    beats, checkpoint = load_beats()
    return check_beats(placement.place(beats), checkpoint.extras["label_dict"])


def _placed_beats(placement: Placement) -> BEATs:
    beats, _ = load_beats()
    return placement.place(beats)


def _clipseg(placement: Placement) -> tuple[bool, str]:
    clipseg = placement.place(load_clipseg())
    return check_clipseg(clipseg, _red_mug(clipseg))


def _clipseg_rounded(full: Placement, rounded: Placement) -> tuple[bool, str]:
    clipseg = full.place(load_clipseg())
    return check_clipseg_rounded(clipseg, rounded.place(load_clipseg()), _red_mug(clipseg))


@torch.inference_mode()
def _red_mug(clipseg: ConditionedCLIPSeg) -> torch.Tensor:
    return encode_tokens(clipseg.model.clip, load_tokenizer()(RED_MUG).input_ids)


def _whole(device: torch.device, pixels: UInt8Image) -> tuple[bool, str]:
    """That it runs, and where the time goes: what it should find in the picture nobody has published."""
    pipeline = build_pipeline(load_preset("foundation"), device=device)
    noise = 0.1 * torch.randn(32_000, generator=torch.Generator().manual_seed(0))
    found = pipeline.process(Frame(image=pixels), AudioWindow(samples=noise.clamp(-1, 1).numpy()))
    stages = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in found.stage_s.items())
    return True, f"{found.verdict.name}, first run: {stages}"
