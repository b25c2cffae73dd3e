"""How long the verification takes for three masks of 1080p, on one core.

Usage: python benchmarks/verification.py [--repeats 200]
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np

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


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    print("| scene | verdict | p50 ms | p90 ms | max ms |\n|---|---|---|---|---|")
    for scene, masks in SCENES.items():
        candidates = [
            Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=0.5, reason="drawn")
            for role, mask in zip(Role, masks, strict=False)
        ]
        times_ms = []
        for _ in range(repeats):
            start = time.perf_counter()
            result = verify_collision(candidates, VerificationConfig())
            times_ms.append(1e3 * (time.perf_counter() - start))
        p50, p90 = np.percentile(times_ms, [50, 90])
        print(f"| {scene} | {result.verdict.name.lower()} | {p50:.2f} | {p90:.2f} | {max(times_ms):.2f} |")


if __name__ == "__main__":
    main()
