"""The values that travel between modules: frames, audio windows, onsets, candidates and results.

Everything here is a frozen dataclass, checked once where it is made, so that inner code need not check again.
Times are integer nanoseconds on the clock of the message headers. Images are RGB. Boxes are
``(x_min, y_min, x_max, y_max)`` in pixels of the frame, with the maximum edges exclusive.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

UInt8Image = npt.NDArray[np.uint8]
BoolMask = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
BoxXYXY = tuple[float, float, float, float]

MODEL_SAMPLE_RATE_HZ = 16_000
"""The sample rate of every audio window that reaches a model (BEATs' input rate)."""

MIN_WINDOW_SAMPLES = 2_800
"""The shortest audio window: 16 filter-bank frames (25 ms every 10 ms), one BEATs patch."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One camera image.

    Raises:
        ValueError: if the image is not a non-empty uint8 array of shape [H, W, 3].
    """

    image: UInt8Image
    """RGB, uint8, shape [H, W, 3]."""
    stamp_ns: int = 0
    """Time of exposure, nanoseconds."""
    frame_id: str = ""
    """Coordinate frame of the camera (REP-103 optical frame)."""

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"Frame.image must be a uint8 RGB array of shape [H, W, 3], got {_describe(image)}")
        if image.size == 0:
            raise ValueError(f"Frame.image must not be empty, got shape {list(image.shape)}")

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AudioBlock:
    """Consecutive samples as they arrive, at any rate."""

    samples: npt.NDArray[np.floating[Any]]
    """In [-1, 1], shape [T] or [T, C]; messages give [T, C] in float32."""
    sample_rate_hz: int
    """Sample frames per second."""
    stamp_ns: int
    """Time of the first sample, nanoseconds."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AudioWindow:
    """The sound around one onset, as models take it.

    Raises:
        ValueError: if the samples are not a finite float32 vector of at least `MIN_WINDOW_SAMPLES`
            with values in [-1, 1], or the rate is not `MODEL_SAMPLE_RATE_HZ`.
    """

    samples: Float32Array
    """Mono samples in [-1, 1], float32, shape [T]."""
    sample_rate_hz: int = MODEL_SAMPLE_RATE_HZ
    """Always `MODEL_SAMPLE_RATE_HZ`; kept so that a wrong rate is refused rather than misheard."""
    start_ns: int = 0
    """Time of the first sample, nanoseconds."""

    def __post_init__(self) -> None:
        samples = self.samples
        if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
            raise ValueError(f"AudioWindow.samples must be a float32 vector [T], got {_describe(samples)}")
        if self.sample_rate_hz != MODEL_SAMPLE_RATE_HZ:
            raise ValueError(
                f"AudioWindow.sample_rate_hz must be {MODEL_SAMPLE_RATE_HZ}, got {self.sample_rate_hz}: resample first"
            )
        if samples.size < MIN_WINDOW_SAMPLES:
            raise ValueError(
                f"AudioWindow.samples must hold at least {MIN_WINDOW_SAMPLES} samples (one patch), got {samples.size}"
            )
        if not np.isfinite(samples).all():
            raise ValueError("AudioWindow.samples must be finite, got NaN or infinity")
        peak = float(np.abs(samples).max())
        if peak > 1.0 + 1e-3:
            raise ValueError(f"AudioWindow.samples must lie in [-1, 1], got a peak of {peak:.4g}: scale integers first")


class Role(enum.Flag):
    """Where a candidate mask comes from: heard, held, or moving by itself around the onset. Masks that stand for one
    object carry the roles of all that proposed it."""

    AUDIO_VISUAL = enum.auto()
    LEFT_HAND = enum.auto()
    RIGHT_HAND = enum.auto()
    TOUCHED = enum.auto()
    """Said by the hand-object detector to be touched by the object in the right hand; for the strategy `touch` alone."""
    MOVED = enum.auto()


class Verdict(enum.IntEnum):
    """How many objects collided (paper, section 4.3)."""

    NONE = 0
    ONE_OBJECT = 1
    TWO_OBJECTS = 2


class Reason(str, enum.Enum):
    """Why an event ended as it did: the fixed words of `Collision.reason`."""

    CLOSEST_PAIR = "closest_pair"
    """Two objects: the closest two masks are nearer than beta."""
    SINGLE_MASK = "single_mask"
    """One object: only one mask was left after merging."""
    SINGLE_RIGHT = "single_right"
    """One object: no two masks are near, so the one in the right hand."""
    SINGLE_LEFT = "single_left"
    """One object: no two masks are near and the right hand is empty, so the one in the left hand."""
    LIKELIEST = "likeliest"
    """One or two objects: the likeliest option of the learned selection."""
    SELECTED = "selected"
    """The masks that a fixed strategy names (Table 3), without verification."""
    NO_CANDIDATE = "no_candidate"
    """None: no part found any object."""
    NOT_IN_VIEW = "not_in_view"
    """None: the learned selection says that what collided is not in the picture."""
    NO_FRAME = "no_frame"
    """None: no image near enough to the onset."""
    BAD_FRAME = "bad_frame"
    """None: the image nearest to the onset could not be decoded."""
    AUDIO_GAP = "audio_gap"
    """None: too much of the audio around the onset is missing."""
    OVERLOAD = "overload"
    """None: newer events were more urgent."""
    TIME_JUMP = "time_jump"
    """None: the clock jumped while the event was waiting."""
    STOPPED = "stopped"
    """None: perception was switched off or shut down while the event was waiting."""
    ERROR = "error"
    """None: a part failed."""
    GROUND_TRUTH = "ground_truth"
    """One or two objects: no answer but the truth, in a recording that has it."""

    def __str__(self) -> str:
        return self.value


class SideRule(str, enum.Enum):
    """How a hand-object detector decides which hand is the left one."""

    LABELS = "labels"
    """As the network labels each hand."""
    POSITION = "position"
    """As labelled, but of two hands with one label the one further left in the picture is the left hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TouchedObject:
    """An object that a held one touches (Hands23's second object)."""

    box_xyxy: BoxXYXY
    """Box of the object, pixels."""
    score: float
    """Confidence in [0, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldObject:
    """The object in one hand, as the hand-object detector sees it."""

    box_xyxy: BoxXYXY
    """Box of the object, pixels."""
    score: float
    """Confidence in [0, 1]."""
    hand_box_xyxy: BoxXYXY | None = None
    """Box of the hand that holds it, pixels, where the detector gives one."""
    touched: TouchedObject | None = None
    """What it touches, where the detector says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HandObjects:
    """What the wearer's two hands hold; None for an empty or unseen hand."""

    left: HeldObject | None = None
    right: HeldObject | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidate:
    """One mask that may be a colliding object, accepted or not."""

    role: Role
    mask: BoolMask
    """Shape [H, W] of the frame."""
    box_xyxy: BoxXYXY
    """Tight box of the mask, pixels."""
    score: float
    """Confidence in [0, 1] of the part that proposed it; of an object heard at a point, its share of the map."""
    reason: str
    """Why it was accepted or rejected, a short sentence."""
    contact_xy: tuple[float, float] | None = None
    """Pixel of this mask nearest to the other accepted mask; None for a single object."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CollisionResult:
    """What collided in one frame: zero, one or two accepted masks, and everything that was rejected."""

    verdict: Verdict
    reason: Reason
    detail: str
    """The same in one sentence, with the numbers that decided."""
    masks: tuple[Candidate, ...] = ()
    """Accepted candidates, as many as the verdict says."""
    rejected: tuple[Candidate, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    """What was proposed before anything was merged or chosen: what an oracle chooses among. Of several candidates of one
    role the likeliest comes first, and is the one that may collide."""
    heatmap: Float32Array | None = None
    """Where the sound points, float32 [h, w] in [0, 1] and 1 at the peak, covering the frame; None if not computed."""
    confidence: float = math.nan
    """Calibrated probability in [0, 1] that this answer is right; NaN where the strategy cannot say."""
    not_in_view: float = math.nan
    """Calibrated probability in [0, 1] that nothing in view collided; NaN likewise."""
    stage_s: dict[str, float] = field(default_factory=dict)
    """Seconds spent in each stage, in order of execution."""


def check_window_span(audio_pre_s: float, audio_post_s: float) -> None:
    """Refuses a window around an onset that no stream can cut or no network can hear.

    Raises:
        ValueError: if a side is not in [0, 60] seconds, or both together are shorter than `MIN_WINDOW_SAMPLES`.
    """
    for name, value in (("audio_pre_s", audio_pre_s), ("audio_post_s", audio_post_s)):
        if not 0.0 <= value <= 60.0:
            raise ValueError(f"{name} must be in [0, 60] seconds, got {value}")
    shortest_s = MIN_WINDOW_SAMPLES / MODEL_SAMPLE_RATE_HZ
    if audio_pre_s + audio_post_s < shortest_s:
        raise ValueError(
            f"audio_pre_s + audio_post_s must be at least {shortest_s} s, got {audio_pre_s} + {audio_post_s}"
        )


def no_collision(reason: Reason, detail: str, rejected: tuple[Candidate, ...] = ()) -> CollisionResult:
    """The empty result, with its reason."""
    return CollisionResult(verdict=Verdict.NONE, reason=reason, detail=detail, rejected=rejected)


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {list(value.shape)}"
    return type(value).__name__
