"""The one sample type of all data sets, real and simulated.

A sample is cheap to hold: pictures, masks and sound stay on disk until they are asked for. Loaders are picklable
callables without arguments, such as ``functools.partial(read_image, path)``, so that samples travel to the workers of
a data loader. A loader whose file is missing or broken raises `SampleError`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cs3_model.types import BoolMask, Frame, HandObjects, UInt8Image


class SampleError(ValueError):
    """A file of one sample is missing or broken; the message names it and says what was expected."""


class Hand(enum.Flag):
    """The hands that hold an object; a flag, as one object may lie in both."""

    NONE = 0
    LEFT = enum.auto()
    RIGHT = enum.auto()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SceneObject:
    """The truth about one object of a picture.

    Raises:
        ValueError: if the mask is not a boolean array of shape [H, W].
    """

    mask: BoolMask
    """Its visible pixels, shape [H, W] of the picture; may be empty where the object is hidden."""
    is_colliding: bool
    """True for the one or two objects that made the sound."""
    alternatives: tuple[BoolMask, ...] = ()
    """Other masks that are as right as `mask`, where it cannot be said what exactly collided."""
    material: str = ""
    """Name of its material; empty if unknown."""
    category: str = ""
    """What it is, for instance "mug"; empty if unknown."""
    held_by: Hand = Hand.NONE
    """The wearer's hands that hold it."""
    is_surface: bool = False
    """True for a table or floor, which lies behind everything: it is near to all objects and so the nearest to none."""

    def __post_init__(self) -> None:
        if not isinstance(self.mask, np.ndarray) or self.mask.dtype != np.bool_ or self.mask.ndim != 2:
            raise ValueError("SceneObject.mask must be a boolean array of shape [H, W]")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Around:
    """The pictures around that of a sample; its own time is 0 ns."""

    before: Frame | None = None
    """Some hundredths of a second earlier."""
    after: Frame | None = None
    """As much later."""

    def changed(self, change: Callable[[Frame], Frame]) -> Around:
        """The same times in other pictures."""
        return Around(
            before=None if self.before is None else change(self.before),
            after=None if self.after is None else change(self.after),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundSegment:
    """Where the sound of a collision lies in a sound or video file.

    Raises:
        ValueError: if the segment ends before it starts.
    """

    path: Path
    """Any file that `training.data.sound_windows.read_window` can decode."""
    start_s: float
    """Start of the annotated sound, seconds from the start of the file."""
    stop_s: float
    """Its end; equal to the start for a bare onset. `training.data.sound_windows` cuts what a model hears around it."""
    picture_s: float | None = None
    """Time of the sample's picture in the same file, if it is known."""

    def __post_init__(self) -> None:
        if not self.stop_s >= self.start_s:
            raise ValueError(f"SoundSegment must not end before it starts, got {self.start_s} to {self.stop_s} s")

    @property
    def duration_s(self) -> float:
        """Length of the annotated sound in seconds."""
        return self.stop_s - self.start_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What made a sample easy or hard, for reports by stratum; None or empty where a data set does not know."""

    snr_db: float | None = None
    """Level of the collision over the background, decibels."""
    occlusion: float | None = None
    """Hidden share of the colliding object that is hidden most, in [0, 1]."""
    level: str = ""
    """Named difficulty."""
    scenario: str = ""
    """What happened, for instance "drop"."""
    frame_offset_s: float | None = None
    """Time of the picture minus time of the onset, seconds."""
    group: str = ""
    """Samples of one group show the same picture with different sounds (a counterfactual test)."""
    framing_of: str = ""
    """Id of the sample of which this is another framing (`training.data.framings`): the same answer, and resampled with it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sample:
    """One collision (or a sound that is none): a picture, the sound around it and what is known about both."""

    sample_id: str
    """Unique within its data set."""
    data_set: str
    """Name of the data set."""
    split: str
    """Name of the split, such as "train" or "val"."""
    load_image: Callable[[], UInt8Image]
    """Reads the picture: RGB, uint8 [H, W, 3]."""
    sound: SoundSegment
    """Where the sound is."""
    load_image_at: Callable[[float], UInt8Image] | None = None
    """Reads the picture at a time inside the segment, seconds after its start, for training on random pictures; None
    if there is only the one picture."""
    load_around: Callable[[], Around] | None = None
    """Reads the pictures before and after the sample's own, for methods that look at what moves; None if there are
    none."""
    load_objects: Callable[[], tuple[SceneObject, ...]] | None = None
    """Reads the truth; None if the sample has no truth masks."""
    knows_whole_scene: bool = False
    """True if the truth has all objects of the picture and the hands that hold them, not only what collides."""
    hands: HandObjects | None = None
    """True boxes of the held objects; None if unknown."""
    materials: tuple[str, ...] = ()
    """The distinct materials that collided, sorted: one name where both are of one material; empty if unknown."""
    contact_xy: tuple[float, float] | None = None
    """True pixel of the contact; None if unknown or outside the picture."""
    conditions: Conditions = field(default_factory=Conditions)
    """What made it easy or hard."""

    @property
    def is_silent(self) -> bool:
        """True if it is known that nothing collided in the picture."""
        return bool(self.conditions.scenario) and not self.materials


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DataSet:
    """The samples of one split."""

    name: str
    """Name of the data set."""
    split: str
    """Name of the split."""
    samples: tuple[Sample, ...]
    """All samples, also those whose files are missing: their loaders raise `SampleError`."""
    missing: tuple[str, ...] = ()
    """One line for each kind of file that is not on this disk, with the number of samples that need it."""
    places: tuple[str, ...] = ()
    """Where the missing kinds of files were looked for, one line each."""
