"""What a row of a results table is: it turns a sample that was read into a `CollisionResult`."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from cs3_model.types import AudioWindow, BoolMask, CollisionResult, Frame
from training.data.samples import Around, Sample, SceneObject


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadedSample:
    """A sample, read."""

    sample: Sample
    frame: Frame
    window: AudioWindow
    objects: tuple[SceneObject, ...]
    """The truth; only rows that say so may look at it."""
    around: Around = field(default_factory=Around)
    """The pictures before and after, where a row looks at what moves and the data set has them."""

    @property
    def true_masks(self) -> list[BoolMask]:
        """Masks of the colliding objects, those that can be seen."""
        return [item.mask for item in self.visible_colliding]

    @property
    def visible_colliding(self) -> list[SceneObject]:
        """The colliding objects that can be seen."""
        return [item for item in self.objects if item.is_colliding and item.mask.any()]


class Sound(str, enum.Enum):
    """What a row hears."""

    OWN = "own"
    """The sound of the sample."""
    SHUFFLED = "shuffled"
    """The sound of another sample: what remains of the score is not owed to hearing."""
    OTHER_CLIP = "other-clip"
    """The sound of a sample of another file."""
    NOISE = "noise"
    """White noise."""
    SILENT = "silent"
    """Nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a results table."""

    name: str
    """As given on the command line."""
    label: str
    """For people."""
    predict: Callable[[LoadedSample], CollisionResult]
    """Finds what collided."""
    sound: Sound = Sound.OWN
    """What it hears."""
    shuffle: int = 0
    """Which of many shuffles, where `sound` is `Sound.SHUFFLED`."""
    needs_whole_scene: bool = False
    """True if it must know all objects and the hands that hold them."""
    uses_motion: bool = False
    """True if it looks at the pictures before and after."""
    models: tuple[str, ...] = ()
    """Identity of networks and weights, if any."""
    trained: bool = True
    """False if random weights make the row meaningless."""
