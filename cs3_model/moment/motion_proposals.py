"""Objects that motion proposes: what moved most by itself just before and just after the onset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cs3_model.moment.motion import Motion
from cs3_model.types import BoxXYXY

_QUANTILE = 0.995
_BLUR_PX = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalConfig:
    """How many objects motion proposes.

    Raises:
        ValueError: if a field is out of its range.
    """

    blobs: int = 2
    """Regions per motion and level, those with the most motion first."""
    levels: tuple[float, ...] = (0.5, 0.25)
    """A region moves at least this share of the fastest there is."""
    least_speed: float = 0.02
    """Nothing that moves less is proposed, picture widths per second: so much comes from noise and compression."""
    least_area: float = 0.0003
    """Nothing smaller is proposed, share of the picture."""

    def __post_init__(self) -> None:
        if self.blobs < 1:
            raise ValueError(f"ProposalConfig.blobs must be 1 or more, got {self.blobs}")
        if not self.levels or not all(0 < level < 1 for level in self.levels):
            raise ValueError(f"ProposalConfig.levels must lie in (0, 1), got {list(self.levels)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A region that moved."""

    box_xyxy: BoxXYXY
    """Around it, pixels of the frame."""
    point_xy: tuple[float, float]
    """Where it moved fastest, pixels of the frame."""
    speed: float
    """There, picture widths per second."""


def propose(
    motions: Sequence[Motion], frame_hw: tuple[int, int], config: ProposalConfig | None = None
) -> list[Proposal]:
    """The regions that moved by themselves, at most `blobs` per motion and level.

    Args:
        motions: What is known of the time before and after the onset; may be empty.
        frame_hw: Height and width of the frame in which boxes and points are given, pixels.
        config: How many.
    """
    config = config or ProposalConfig()
    found: list[Proposal] = []
    for motion in motions:
        speed = cv2.GaussianBlur(motion.speed, (0, 0), _BLUR_PX)
        highest = float(np.quantile(speed, _QUANTILE))
        if highest < config.least_speed:
            continue
        for level in config.levels:
            found += _blobs(speed, level * highest, frame_hw, config)
    return found


def _blobs(speed: np.ndarray, least: float, frame_hw: tuple[int, int], config: ProposalConfig) -> list[Proposal]:
    height, width = speed.shape
    scale_x, scale_y = frame_hw[1] / width, frame_hw[0] / height
    number, labels, statistics, _ = cv2.connectedComponentsWithStats((speed > least).astype(np.uint8))
    total = np.bincount(labels.ravel(), speed.ravel(), minlength=number)
    order = [int(index) for index in np.argsort(-total[1:], kind="stable") + 1]
    large = [index for index in order if statistics[index, cv2.CC_STAT_AREA] >= config.least_area * speed.size]
    proposals = []
    for index in large[: config.blobs]:
        left, top, across, down = (int(value) for value in statistics[index, :4])
        inside = np.where(
            labels[top : top + down, left : left + across] == index, speed[top : top + down, left : left + across], 0
        )
        row, column = np.unravel_index(int(inside.argmax()), inside.shape)
        proposals.append(
            Proposal(
                box_xyxy=(left * scale_x, top * scale_y, (left + across) * scale_x, (top + down) * scale_y),
                point_xy=((left + column + 0.5) * scale_x, (top + row + 0.5) * scale_y),
                speed=float(inside.max()),
            )
        )
    return proposals
