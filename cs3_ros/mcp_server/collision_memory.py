"""The collisions that a server remembers, with numbers to speak of them; bounded in count and bytes.

Example, with room for two::

    memory = CollisionMemory(capacity=2)
    memory.add(first, ()); memory.add(second, ()); memory.add(third, ())   # the first is forgotten
    memory.get(3)                                                           # the third
    memory.get(1)                                                           # ValueError: too old, remembered are 2 to 3
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace

from cs3_ros.client import Collision
from cs3_ros.mcp_server.facts import CollisionFacts, age_in_words, collision_facts

CAPACITY = 64
"""Collisions that are remembered: with `MAX_PICTURE_BYTES` for each of three pictures, at most 48 MiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RememberedCollision:
    """One collision, without the arrays that it came with."""

    number: int
    """Its id."""
    heard_s: float
    """When it came, on the clock of `time.monotonic`."""
    pictures: tuple[bytes, ...]
    """JPEGs: the image with masks, and a crop of each object; none where there was no image."""
    first_facts: CollisionFacts
    """Its facts when it came."""

    def facts(self) -> CollisionFacts:
        """The facts, with its age by now."""
        age_s = time.monotonic() - self.heard_s
        sentence = self.first_facts.words.partition(". ")[2]
        words = f"Collision {self.number}, {age_in_words(age_s)}. {sentence}"
        return replace(self.first_facts, seconds_ago=round(age_s, 1), words=words)


class CollisionMemory:
    """Remembers the newest collisions; numbers them from 1."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.num_heard = 0
        """Collisions so far: the number of the newest."""
        self._remembered: deque[RememberedCollision] = deque(maxlen=capacity)

    def add(self, collision: Collision, pictures: tuple[bytes, ...]) -> RememberedCollision:
        """Remembers a collision and its pictures; the oldest may have to go."""
        self.num_heard += 1
        facts = collision_facts(collision, number=self.num_heard, age_s=0.0, has_picture=bool(pictures))
        remembered = RememberedCollision(
            number=self.num_heard, heard_s=time.monotonic(), pictures=pictures, first_facts=facts
        )
        self._remembered.append(remembered)
        return remembered

    def newest(self, count: int) -> list[RememberedCollision]:
        """The newest ones, oldest of them first."""
        return list(self._remembered)[-count:]

    def after(self, number: int) -> RememberedCollision | None:
        """The oldest remembered one that came after that number."""
        return next((each for each in self._remembered if each.number > number), None)

    def get(self, number: int) -> RememberedCollision:
        """Returns the collision of that number.

        Raises:
            ValueError: if there is none; it says which there are.
        """
        for remembered in self._remembered:
            if remembered.number == number:
                return remembered
        if not self._remembered:
            raise ValueError(f"there is no collision {number}: none was heard yet; call wait_for_collision first")
        oldest, newest = self._remembered[0].number, self._remembered[-1].number
        why = "is too old" if 1 <= number < oldest else "does not exist"
        raise ValueError(f"collision {number} {why}: remembered are {oldest} to {newest}; see last_collisions")
