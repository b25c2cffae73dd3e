"""The layout of a table, what a scene holds before it is built: objects in their places and what each hand is about to do.

World axes: x to the right, y away from the wearer, z up, the table top at z = 0. Sides: -1 left, +1 right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scipy.spatial.transform import Rotation

from training.simulation.objects.appearance import SurfaceFinish
from training.simulation.objects.meshes import Points
from training.simulation.objects.shapes.shape import Shape

TABLE = -1
"""Index that stands for the table top where objects are numbered."""


class LayoutError(Exception):
    """This draw does not fit on the table; the generator draws again."""


@dataclass(kw_only=True, slots=True, eq=False)
class Item:
    """One object in its place."""

    shape: Shape
    finish: SurfaceFinish
    handle: SurfaceFinish
    position: Points
    """World position [3] of its origin; for a held object at the moment of the nominal touch."""
    rotation: Rotation
    part_of: int | None = None
    """Index of the object whose mask it shares (the lid of a pot)."""


@dataclass(kw_only=True, slots=True, eq=False)
class HandPlan:
    """One hand, what it holds and the straight last stretch of its way."""

    side: int
    act: str
    item: int | None
    """Index of the object it holds; None for an empty hand."""
    target: int | None
    """Index of what it is about to touch, `TABLE`, or None."""
    pose: str
    """Pose of the hand, see `hands.hand_mesh`."""
    grip_radius: float
    rotation: Rotation
    """Rotation of the hand's own frame in the world."""
    touch: Points
    """World position [3] of the hand's origin when the objects touch (nominal until `hand_motion.find_touch`)."""
    approach: Points
    """Unit vector of the last stretch [3]."""


@dataclass(kw_only=True, slots=True, eq=False)
class TableLayout:
    """Everything of a scene but the room."""

    items: list[Item] = field(default_factory=list)
    plans: dict[int, HandPlan] = field(default_factory=dict)
    """What each hand does, by side."""
    shoulders: dict[int, Points] = field(default_factory=dict)
    """World position [3] by side."""

    def held_in(self, plan: HandPlan) -> Item:
        """The object in a hand that is not empty."""
        assert plan.item is not None
        return self.items[plan.item]
