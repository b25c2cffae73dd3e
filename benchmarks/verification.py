"""How long the verification takes for three masks of 1080p, on one core.

scripts/run python benchmarks/verification.py [--repeats 200]
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
import typer

from benchmarks.scaffold import elapsed, percentiles, print_header, print_row, where
from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.types import BoolMask, Candidate, Role
from cs3_model.verification import VerificationConfig, verify_collision

SIZE_HW = (1080, 1920)


def ellipse(centre_xy: tuple[int, int], axes: tuple[int, int], angle: float = 30.0) -> BoolMask:
    """A filled ellipse, bool [H, W]."""
    canvas = np.zeros(SIZE_HW, np.uint8)
    return cv2.ellipse(canvas, centre_xy, axes, angle, 0, 360, 1, -1).astype(bool)


def holes(spacing: int) -> BoolMask:
    """A mask with as much edge as a mask may have: dots over the whole frame."""
    canvas = np.zeros(SIZE_HW, bool)
    canvas[::spacing, ::spacing] = True
    return canvas


SCENES = {
    "three objects, apart": [
        ellipse((400, 600), (150, 90)),
        ellipse((900, 600), (200, 80)),
        ellipse((1500, 500), (160, 120)),
    ],
    "two touch": [ellipse((400, 600), (150, 90)), ellipse((640, 600), (200, 80)), ellipse((1500, 500), (160, 120))],
    "all overlap": [ellipse((600, 600), (250, 190)), ellipse((760, 600), (300, 180)), ellipse((700, 500), (260, 220))],
    "large": [ellipse((400, 540), (380, 500)), ellipse((1250, 540), (300, 500)), ellipse((1740, 540), (150, 500))],
    "small, far": [ellipse((50, 50), (8, 6)), ellipse((1870, 1030), (8, 6)), ellipse((1000, 540), (8, 6))],
    "dots": [holes(7), ellipse((963, 543), (2, 2)), ellipse((1500, 500), (3, 2))],
}


def main(repeats: Annotated[int, typer.Option(help="Verifications of each scene.")] = 200) -> None:
    """How long the verification takes for three masks of 1080p, on one core."""
    cv2.setNumThreads(1)
    print(f"{where('numpy', 'opencv-python-headless')}, {repeats} repeats\n")
    print_header("scene", "verdict", "p50 ms", "p90 ms", "max ms")
    for scene, masks in SCENES.items():
        candidates = [
            Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=0.5, reason="drawn")
            for role, mask in zip(Role, masks, strict=False)
        ]
        times_ms = []
        for _ in range(repeats):
            with elapsed() as taken:
                result = verify_collision(candidates, VerificationConfig())
            times_ms.append(1e3 * taken.wall_s)
        print_row(scene, result.verdict.name.lower(), *percentiles(times_ms, (50, 90, 100), digits=2))


if __name__ == "__main__":
    typer.run(main)
