"""What a scene holds before it is built: objects in their places and what each hand is about to do.

World axes: x to the right, y away from the wearer, z up, the table top at z = 0. Sides: -1 left, +1 right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scipy.spatial.transform import Rotation

from training.simulation.objects.appearance import Finish
from training.simulation.objects.meshes import Points
from training.simulation.objects.shapes import Shape
from training.simulation.scenario.difficulty import Level

TABLE = -1
"""Index that stands for the table top where objects are numbered."""

ACTS = ("hit", "put_down", "drop", "lid", "scrape", "hold")
"""What a hand may be about to do; ``hold`` keeps its object still in the air, for the other hand to hit."""


class LayoutError(Exception):
    """This draw does not fit on the table; the generator draws again."""


@dataclass(kw_only=True, slots=True, eq=False)
class Item:
    """One object in its place."""

    shape: Shape
    finish: Finish
    handle: Finish
    position: Points
    """Of its origin, world [3]; for a held object at the moment of the nominal touch."""
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
    """Of the hand's own frame."""
    touch: Points
    """World position [3] of the hand's origin when the objects touch (nominal until `script.find_touch`)."""
    approach: Points
    """Unit vector of the last stretch [3]."""


@dataclass(kw_only=True, slots=True, eq=False)
class Layout:
    """Everything of a scene but the room."""

    items: list[Item] = field(default_factory=list)
    plans: dict[int, HandPlan] = field(default_factory=dict)
    """By side."""
    shoulders: dict[int, Points] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a scene must contain."""

    level: Level
    acts: dict[int, str]
    """Act of each hand by side; a missing side has an empty hand or none."""
    twins: bool = False
    """Whether the two targets are of one shape and different materials."""
    held_out: bool = False
    """Whether to use held-out shapes, finishes and material pairs."""
    distinct_materials: bool = False
    """Whether the two possible collisions must differ in their set of materials."""
