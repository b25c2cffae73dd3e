"""A collision in words and plain numbers, as a language model reads it."""

from __future__ import annotations

from dataclasses import dataclass

from cs3_ros.client import CollidingObject, Collision

_NINTHS = (
    ("upper left", "top", "upper right"),
    ("left", "middle", "right"),
    ("lower left", "bottom", "lower right"),
)


@dataclass(frozen=True, kw_only=True)
class ObjectFacts:
    """One object, or a candidate that was rejected."""

    roles: list[str]
    """How it was found: held left, held right, heard, touched, moving."""
    where: str
    """Where in the picture, in words."""
    box_xyxy: list[float]
    """x_min, y_min, x_max, y_max, pixels."""
    area_px: int
    """Pixels of the mask."""
    score: float
    """Confidence, 0 to 1."""
    contact_xy: list[float] | None
    """Pixel nearest to the other object; null unless two objects collided."""
    reason: str
    """Why it was accepted or rejected."""


@dataclass(frozen=True, kw_only=True)
class CollisionFacts:
    """One collision."""

    id: int
    """Name of the collision for the other tools."""
    words: str
    """Everything in a sentence or two."""
    seconds_ago: float
    """Since this server heard of it."""
    onset_s: float
    """Time of the sound's onset on the clock of the recording, seconds."""
    objects: list[ObjectFacts]
    """The objects that collided: none, one or two."""
    rejected: list[ObjectFacts]
    """What else was considered."""
    reason: str
    """Fixed word for why the answer is what it is."""
    confidence: float | None
    """Probability that the answer is right, in [0, 1]; null where the networks cannot say."""
    has_picture: bool
    """Whether the tool look can show it."""
    trained: bool
    """False: the networks have random weights, and masks mean nothing."""


def collision_facts(collision: Collision, *, number: int, age_s: float, has_picture: bool) -> CollisionFacts:
    """Returns the facts of a collision.

    Args:
        collision: What the client heard.
        number: Its id.
        age_s: Seconds since it was heard of.
        has_picture: Whether it can be shown.
    """
    return CollisionFacts(
        id=number,
        words=f"Collision {number}, {age_in_words(age_s)}. {collision.describe()}",
        seconds_ago=round(age_s, 1),
        onset_s=collision.onset_s,
        objects=[_object_facts(found) for found in collision.objects],
        rejected=[_object_facts(found) for found in collision.rejected],
        reason=str(collision.reason),
        confidence=None if collision.confidence is None else round(collision.confidence, 2),
        has_picture=has_picture,
        trained=collision.trained,
    )


def age_in_words(age_s: float) -> str:
    """For instance "3 seconds ago", "2 minutes ago"."""
    for limit_s, unit_s, unit in ((90.0, 1.0, "second"), (5400.0, 60.0, "minute"), (float("inf"), 3600.0, "hour")):
        if age_s < limit_s:
            count = round(age_s / unit_s)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    raise AssertionError("the last limit holds for every age")


def place_in_words(found: CollidingObject) -> str:
    """For instance "upper left of the picture": in which ninth of it the centre of the box lies."""
    height, width = found.mask.shape
    x_min, y_min, x_max, y_max = found.box_xyxy
    column = _third((x_min + x_max) / 2, width)
    row = _third((y_min + y_max) / 2, height)
    return f"{_NINTHS[row][column]} of the picture"


def _third(position: float, length: int) -> int:
    return min(2, int(3 * position / length))


def _object_facts(found: CollidingObject) -> ObjectFacts:
    return ObjectFacts(
        roles=list(found.roles),
        where=place_in_words(found),
        box_xyxy=[float(edge) for edge in found.box_xyxy],
        area_px=int(found.mask.sum()),
        score=round(float(found.score), 3),
        contact_xy=None if found.contact_xy is None else [float(value) for value in found.contact_xy],
        reason=found.reason,
    )
