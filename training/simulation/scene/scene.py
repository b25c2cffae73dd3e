"""A compiled scene: what lies where, the head camera, and what the geoms of its MuJoCo model mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from training.simulation.objects.appearance import Table
from training.simulation.objects.meshes import Points
from training.simulation.scene.arms import Arm
from training.simulation.scene.table_layout import TableLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadCamera:
    """The head camera at rest."""

    position: Points
    rotation: Rotation
    """Columns: right, up, backward."""
    fov_y: float
    """Vertical field of view, radians."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SimulatedScene:
    """A compiled scene and the meaning of its geoms."""

    layout: TableLayout
    table: Table
    camera: HeadCamera
    arms: dict[int, Arm]
    """The arm of each hand, by side."""
    model: Any
    object_of_geom: npt.NDArray[np.int64]
    """[num_geoms]: index of the item, `TABLE`, or -2."""
    hand_of_geom: npt.NDArray[np.int64]
    """[num_geoms]: side of the hand or arm, 0 for none."""
    is_hand_proper: npt.NDArray[np.bool_]
    """[num_geoms]: the hand without the arm."""
