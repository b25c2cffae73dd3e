"""What the physics reports of one variant: collisions, sliding, and the states to take pictures of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.simulation.objects.meshes import Points


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedCollision:
    """Two objects that hit each other."""

    objects: tuple[int, int]
    """Indices of the items, smaller first, `TABLE` for the table top."""
    time_s: float
    """Time of the first touch, on the clock of the simulation."""
    force_s: float
    """When what a hand brings begins to press; infinite if it never does, as where shapes overlap while they part."""
    impulse: float
    """Newton seconds."""
    closing_speed: float
    """Metres per second along the normal."""
    point: tuple[float, float, float]
    """World."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Friction:
    """How two objects slide over each other while they touch."""

    objects: tuple[int, int]
    start_s: float
    sliding_speed: npt.NDArray[np.float64]
    """Metres per second at every time step from `start_s` on."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SceneState:
    """A moment of the simulation, enough to render it."""

    time_s: float
    qpos: Points
    mocap_pos: Points
    mocap_quat: Points

    @classmethod
    def of(cls, data: Any, time_s: float) -> SceneState:
        """What MuJoCo's data say now; later steps do not change it."""
        return cls(
            time_s=time_s,
            qpos=data.qpos.copy(),
            mocap_pos=data.mocap_pos.copy(),
            mocap_quat=data.mocap_quat.copy(),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PhysicsRecord:
    """What one variant did."""

    collisions: tuple[SimulatedCollision, ...]
    """All collisions, in order of time."""
    frictions: tuple[Friction, ...]
    renewed: tuple[tuple[int, int], ...]
    """What a hand brings and what it presses on, however gently, after all has settled and 20 ms without a force."""
    states: tuple[SceneState, ...]
    """The states at the times that were asked for."""
