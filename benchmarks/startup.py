"""How long the node takes from its start to active, and what a Collision message weighs and takes to make::

scripts/run python -m benchmarks.startup --preset micro --starts 3
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Annotated

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "96")

import cv2
import numpy as np
import typer
from rclpy.serialization import serialize_message

from benchmarks.scaffold import print_header, print_row, where
from cs3_model.steps import Event
from cs3_model.types import BoolMask, Candidate, CollisionResult, Reason, Role, Verdict
from cs3_ros.conversions.collisions import ResultContext, collision_to_msg

_REPEATS = 30


def time_to_active(preset: str) -> float:
    """Starts the node and waits until it listens; returns after how many seconds that was."""
    code = "import sys; from cs3_ros.entry import perception; sys.exit(perception())"
    command = [sys.executable, "-c", code, "--ros-args", "-p", f"preset:={preset}"]
    begin_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as node:
        assert node.stdout is not None
        for line in node.stdout:
            if "nobody publishes" in line:  # the first thing that an active node says
                break
        else:
            raise RuntimeError(f"the node ended with status {node.wait()}")
        taken_s = time.monotonic() - begin_s
        node.terminate()
        node.stdout.read()
    return taken_s


def results(width: int, height: int) -> Iterator[CollisionResult]:
    """Two accepted objects and two rejected ones, with ragged outlines."""
    rng = np.random.default_rng(0)
    roles = (Role.RIGHT_HAND, Role.AUDIO_VISUAL, Role.LEFT_HAND, Role.AUDIO_VISUAL)
    for _ in range(_REPEATS):
        made = [_candidate(role, _blob(rng, width, height)) for role in roles]
        yield CollisionResult(
            verdict=Verdict.TWO_OBJECTS,
            reason=Reason.CLOSEST_PAIR,
            detail="",
            masks=tuple(made[:2]),
            rejected=tuple(made[2:]),
            stage_s={},
        )


def _candidate(role: Role, mask: BoolMask) -> Candidate:
    rows, columns = np.nonzero(mask)
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return Candidate(role=role, mask=mask, box_xyxy=box, score=0.5, reason="")


def _blob(rng: np.random.Generator, width: int, height: int) -> BoolMask:
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radii = 0.12 * height * (1 + 0.1 * rng.standard_normal(angles.size))
    middle = rng.uniform(0.25, 0.75, 2) * (width, height)
    outline = middle + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return cv2.fillPoly(np.zeros((height, width), np.uint8), [outline.astype(np.int32)], 1).astype(bool)


def main(
    preset: Annotated[str, typer.Option(help="Preset of the node.")] = "micro",
    starts: Annotated[int, typer.Option(help="How often to start it.")] = 3,
) -> None:
    """Print both tables."""
    typer.echo(where("torch", "rclpy", "opencv-python-headless"))
    if starts:
        print_header("preset", "start to active, s")
        print_row(preset, ", ".join(f"{time_to_active(preset):.1f}" for _ in range(starts)))
        typer.echo()
    print_header("picture", "mask_format", "message, kB", "encoding, ms")
    for width, height in ((640, 480), (1280, 720), (1920, 1080)):
        for mask_format in ("png", "mono8"):
            context = ResultContext(
                event=Event(event_id=0, onset_ns=1, strength_db=20.0),
                frame_ns=1,
                frame_id="camera",
                preset=preset,
                models=(),
                trained=True,
                mask_format=mask_format,
            )
            sizes, times_s = [], []
            for result in results(width, height):
                begin_s = time.perf_counter()
                message = collision_to_msg(result, context)
                times_s.append(time.perf_counter() - begin_s)
                sizes.append(len(serialize_message(message)))
            print_row(
                f"{width} x {height}", mask_format, f"{np.median(sizes) / 1e3:.1f}", f"{1e3 * np.median(times_s):.2f}"
            )


if __name__ == "__main__":
    typer.run(main)
