"""The agent: taps what looks alike, hears each tap through the perception node, and says which is of what kind.

It never sees what it taps. It looks at samples of known material, and asks of each tap which of *them* sounds like that:
the heard objects of a collision are places in the picture, and the agent knows which sample stands where. And it counts
the collisions that follow a tap. All that it knows of the node is `cs3_ros.client`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cs3_model.types import BoxXYXY
from cs3_ros.client import Collision, CollisionClient, CollisionListener, PerceptionSilentError

Shares = npt.NDArray[np.float64]
_NS_PER_S = 1_000_000_000
_NEAR_S = 0.15
"""An onset that far from the moment at which the arm felt the touch is not the touch."""
_AFTER_S = 0.8
"""So long after a touch a collision may be a consequence of the tap."""
_QUIET_S = 1.0
"""When nothing came for so long after the last tap, nothing more will, seconds of the wall clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """An object of known material that the camera sees."""

    material: str
    box_xyxy: BoxXYXY
    """Where it is in the picture, pixels."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """What the agent heard of each object, the mean over its taps."""

    shares: Shares
    """How much it sounds like each sample, [num_objects, num_samples]: the score of the heard objects at its place."""
    answered: Shares
    """Share of its taps whose touch was heard and answered with masks, [num_objects]."""
    num_sounds: Shares
    """Collisions per tap, [num_objects]."""

    def speaks_for(self, kind: str, materials: Sequence[str]) -> Shares:
        """How much speaks for each object being of a kind, [num_objects].

        Args:
            kind: A material of the samples; `full`, of closed jars of metal: what fills a jar takes its ring away, so
                that it sounds less like metal (a tap without an answer speaks for nothing); or `loose`, of jars with lids:
                a loose lid knocks again as it falls back.
            materials: Of the samples.
        """
        if kind == "full":
            return self.answered - self.shares[:, list(materials).index("metal")]
        if kind == "loose":
            return self.num_sounds
        return self.shares[:, list(materials).index(kind)]


class Arm(Protocol):
    """What the agent needs of its body."""

    def tap(self, index: int) -> int | None:
        """Taps an object; returns when the arm felt the touch, nanoseconds of the graph's clock, or None."""

    def point_at(self, index: int) -> None:
        """Shows which object was chosen."""


class TappingAgent:
    """Finds out which of several look-alikes is made of what."""

    def __init__(
        self, client: CollisionClient, arm: Arm, samples: Sequence[Sample], *, patience_s: float = 30.0
    ) -> None:
        """Makes an agent.

        Args:
            client: Of a perception node whose camera sees the samples, and not the look-alikes.
            arm: What taps.
            samples: Where the samples are in the picture.
            patience_s: How long a collision may take to come after its tap, seconds of the wall clock.
        """
        self._client, self._arm, self._samples, self._patience_s = client, arm, tuple(samples), patience_s
        self.heard: list[tuple[Collision, ...]] = []
        """What came of each tap; of some nothing."""

    def explore(self, num_objects: int, num_taps: int) -> Evidence:
        """Taps each object several times, in rounds, once the node has found the agent's client."""
        self._client.wait_for_node()
        collisions = self._client.listen(self._patience_s)
        touches_ns: list[int | None] = []
        found: list[Collision] = []
        for tap in range(num_objects * num_taps):
            touches_ns.append(self._arm.tap(tap % num_objects))
            found += _until_heard(collisions, touches_ns[-1])
        with contextlib.suppress(PerceptionSilentError):
            for _ in self._client.listen(min(_QUIET_S, self._patience_s)):
                pass
        while (collision := collisions.poll()) is not None:
            found.append(collision)
        self.heard = [_following(touch_ns, found) for touch_ns in touches_ns]
        evidence = Evidence(
            shares=np.zeros((num_objects, len(self._samples))),
            answered=np.zeros(num_objects),
            num_sounds=np.zeros(num_objects),
        )
        for tap, (touch_ns, heard) in enumerate(zip(touches_ns, self.heard, strict=True)):
            evidence.num_sounds[tap % num_objects] += len(heard) / num_taps
            if touch_ns is not None and heard and heard[0].onset_ns < touch_ns + _NEAR_S * _NS_PER_S:
                evidence.shares[tap % num_objects] += shares_of(heard[0], self._samples) / num_taps
                evidence.answered[tap % num_objects] += bool(heard[0].objects) / num_taps
        return evidence

    def find(self, kind: str, evidence: Evidence, rng: np.random.Generator) -> int:
        """Points at the object for which most speaks; returns its number."""
        materials = [sample.material for sample in self._samples]
        chosen = most_like(evidence.speaks_for(kind, materials), rng)
        self._arm.point_at(chosen)
        return chosen


def shares_of(collision: Collision, samples: Sequence[Sample]) -> Shares:
    """The score of the heard objects of a collision at the place of each sample, [num_samples]; the rest is elsewhere.

    Rejected candidates count too: with `micro`, scores are shares of the map of the sound, and say how open it was.
    Where their masks overlap, the sum may exceed 1.
    """
    shares = np.zeros(len(samples))
    for found in (*collision.objects, *collision.rejected):
        if "heard" not in found.roles:
            continue
        covered = []
        for sample in samples:
            x_min, y_min, x_max, y_max = (round(edge) for edge in sample.box_xyxy)
            covered.append(int(found.mask[y_min:y_max, x_min:x_max].sum()))
        best = int(np.argmax(covered))
        if covered[best] > found.mask.sum() / 2:
            shares[best] += found.score
    return shares


def most_like(shares: Shares, rng: np.random.Generator) -> int:
    """The number of the greatest share; of equal ones, as where nothing was heard, any."""
    best = np.flatnonzero(shares >= shares.max())
    return int(rng.choice(best))


def _until_heard(collisions: CollisionListener, touch_ns: int | None) -> list[Collision]:
    """Waits for the collision of a touch; returns it with those that came before it."""
    found: list[Collision] = []
    if touch_ns is not None:
        with contextlib.suppress(PerceptionSilentError):
            for collision in collisions:
                found.append(collision)
                if collision.onset_ns > touch_ns - _NEAR_S * _NS_PER_S:
                    break
    return found


def _following(touch_ns: int | None, collisions: Sequence[Collision]) -> tuple[Collision, ...]:
    """The collisions of a touch and in its wake, in the order of their onsets: answers come in any order."""
    if touch_ns is None:
        return ()
    heard = [c for c in collisions if -_NEAR_S < (c.onset_ns - touch_ns) / _NS_PER_S < _AFTER_S]
    return tuple(sorted(heard, key=lambda collision: collision.onset_ns))
