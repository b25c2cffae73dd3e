"""The agent: taps what looks alike, hears each tap through the perception node, and says which is of which material.

It never sees what it taps. It looks at samples of known material, and asks of each tap which of *them* sounds like that:
the heard objects of a collision are places in the picture, and the agent knows which sample stands where. All that it
knows of the node is `cs3_ros.client`.
"""

from __future__ import annotations

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
"""An onset that far from the moment at which the arm felt the touch is another sound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """An object of known material that the camera sees."""

    material: str
    box_xyxy: BoxXYXY
    """Where it is in the picture, pixels."""


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
        self.heard: list[Collision | None] = []
        """What came of each tap; None where nothing was heard."""

    def explore(self, num_objects: int, num_taps: int) -> Shares:
        """Taps each object several times, in rounds, once the node has found the agent's client.

        Returns:
            How much each object sounds like each sample, [num_objects, num_samples]: the mean over its taps of the
            score of the heard objects at the sample's place.
        """
        self._client.wait_for_node()
        shares = np.zeros((num_objects, len(self._samples)))
        for _ in range(num_taps):
            for index in range(num_objects):
                collisions = self._client.listen(self._patience_s)
                touch_ns = self._arm.tap(index)
                collision = None if touch_ns is None else _heard_at(collisions, touch_ns)
                self.heard.append(collision)
                if collision is not None:
                    shares[index] += shares_of(collision, self._samples) / num_taps
        return shares

    def find(self, material: str, shares: Shares, rng: np.random.Generator) -> int:
        """Points at the object that sounds most like the sample of a material; returns its number."""
        place = [sample.material for sample in self._samples].index(material)
        chosen = most_like(shares[:, place], rng)
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


def _heard_at(collisions: CollisionListener, touch_ns: int) -> Collision | None:
    try:
        for collision in collisions:
            if abs(collision.onset_ns - touch_ns) < _NEAR_S * _NS_PER_S:
                return collision
    except PerceptionSilentError:
        return None
    return None
