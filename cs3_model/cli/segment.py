"""``cs3 segment``: the whole method on one image and one sound file, without ROS."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from cs3_model.cli.sound import Onset, read_window
from cs3_model.command_errors import one_line_errors
from cs3_model.files import write_whole_text
from cs3_model.picture_files import write_picture
from cs3_model.pipeline import HeardMask
from cs3_model.strategies import Strategy
from cs3_model.types import AudioWindow, Candidate, CollisionResult, Frame, Role


def segment(
    image: Annotated[Path, typer.Argument(help="The picture, any format that OpenCV reads.")],
    audio: Annotated[Path, typer.Argument(help="The sound: any audio or video file.")],
    out: Annotated[Path, typer.Option(help="Folder for masks, overlay and verdict; made if needed.")],
    preset: Annotated[str, typer.Option(help="Name of a preset, or a YAML file.")] = "foundation",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    onset: Annotated[
        float | None,
        typer.Option(help="Collision, seconds from AUDIO's earliest picture or sample; the strongest if left out."),
    ] = None,
    strategy: Annotated[Strategy, typer.Option(help="How masks are chosen (Table 3).")] = Strategy.OURS,
    no_crop: Annotated[bool, typer.Option("--no-crop", help="Look at the whole image only (Table 2).")] = False,
    no_hands: Annotated[bool, typer.Option("--no-hands", help="Do not look for hands (Table 2).")] = False,
    heard_mask: Annotated[
        HeardMask | None,
        typer.Option(help="What becomes the mask of the heard object; map: the sound's map alone (Table 2)."),
    ] = None,
) -> None:
    """Segment what collided in IMAGE with the sound of AUDIO.

    Writes mask_1.png and mask_2.png (as many as there are), overlay.png and verdict.json. Exit code 1: bad input, or
    weights that cannot be had.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    from cs3_model.build import build_pipeline, load_preset, select_device  # slow: loads PyTorch

    with one_line_errors(status=1):
        frame = Frame(image=_read_image(image))
        chosen = load_preset(preset)
        window, heard = read_window(audio, onset, pre_s=chosen.audio_pre_s, post_s=chosen.audio_post_s)
        options = replace(
            chosen.pipeline,
            strategy=strategy,
            use_crop=chosen.pipeline.use_crop and not no_crop,
            use_hands=chosen.pipeline.use_hands and not no_hands,
            heard_mask=heard_mask or chosen.pipeline.heard_mask,
        )
        pipeline = build_pipeline(replace(chosen, pipeline=options), device=select_device(device))
        result = pipeline.process(frame, window)
        _write(out, frame, window, heard, result, {"preset": preset, "models": pipeline.models}, pipeline.trained)
    typer.echo(f"{len(result.masks)} masks ({result.reason}: {result.detail}) in {out}")


def _read_image(path: Path) -> np.ndarray:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{path} is not an image that OpenCV can read")
    return np.ascontiguousarray(bgr[..., ::-1])


def _write(
    out: Path,
    frame: Frame,
    window: AudioWindow,
    heard: Onset,
    result: CollisionResult,
    identity: dict[str, Any],
    trained: bool,
) -> None:
    from cs3_model.overlay import draw_overlay

    for stale in (out / "verdict.json", *out.glob("mask_[12].png")):
        stale.unlink(missing_ok=True)
    masks = []
    for number, candidate in enumerate(result.masks, start=1):
        name = f"mask_{number}.png"
        write_picture(out / name, candidate.mask.astype(np.uint8) * 255)
        masks.append({"file": name, **_describe(candidate)})
    caption = f"{identity['preset']}: {', '.join(identity['models'])}"
    overlay = draw_overlay(frame.image, result, window=window, onset_ns=heard.time_ns, trained=trained, caption=caption)
    write_picture(out / "overlay.png", overlay)
    verdict = {
        "verdict": result.verdict.name.lower(),
        "reason": result.reason.value,
        "detail": result.detail,
        "masks": masks,
        "rejected": [_describe(candidate) for candidate in result.rejected],
        "onset_s": heard.time_ns / 1e9,
        "onset_strength_db": heard.strength_db,
        **identity,
        "trained": trained,
        "stage_s": {stage: round(seconds, 4) for stage, seconds in result.stage_s.items()},
    }
    write_whole_text(out / "verdict.json", json.dumps(verdict, indent=2) + "\n")


def _describe(candidate: Candidate) -> dict[str, Any]:
    return {
        "roles": [str(role.name).lower() for role in Role if role in candidate.role],
        "score": round(candidate.score, 4),
        "box_xyxy": candidate.box_xyxy,
        "contact_xy": candidate.contact_xy,
        "reason": candidate.reason,
    }
