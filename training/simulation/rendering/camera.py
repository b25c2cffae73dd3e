"""The camera model: a pinhole without distortion, from the world to pixels. Its light and noise are in `sensor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.simulation.objects.meshes import Points
from training.simulation.scene.scene import HeadCamera


@dataclass(frozen=True, kw_only=True, slots=True)
class Intrinsics:
    """A pinhole camera without distortion, pixels; the optical axis points along +z, x right, y down."""

    width: int
    height: int
    focal: float

    @property
    def centre_xy(self) -> tuple[float, float]:
        """Principal point, with pixel centres at whole numbers."""
        return (self.width - 1) / 2, (self.height - 1) / 2


def intrinsics(camera: HeadCamera, size_hw: tuple[int, int]) -> Intrinsics:
    """The intrinsics of the head camera for a picture size."""
    height, width = size_hw
    return Intrinsics(width=width, height=height, focal=float(height / 2 / np.tan(camera.fov_y / 2)))


def to_camera(data: Any, points: Points) -> Points:
    """World points [K, 3] in the optical frame of camera 0 (x right, y down, z forward)."""
    axes = data.cam_xmat[0].reshape(3, 3)
    return (np.asarray(points) - data.cam_xpos[0]) @ axes * (1.0, -1.0, -1.0)


def project(camera: Intrinsics, points: Points) -> Points:
    """Points of the optical frame [K, 3] as pixels [K, 2]."""
    return points[:, :2] / np.maximum(points[:, 2:], 1e-3) * camera.focal + camera.centre_xy
