"""The tools that a language model may call. All only look and listen; each is bounded in time and in size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar

from mcp.server.mcpserver import Image
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from pydantic import Field

from cs3_ros.client import PerceptionError, PerceptionSilentError
from cs3_ros.client.plain_numbers import seconds, whole_number
from cs3_ros.mcp_server.facts import CollisionFacts
from cs3_ros.mcp_server.hearing import BackgroundHearing

MAX_WAIT_S = 120.0
"""Longest wait of one call: clients give up on longer ones."""
MAX_LISTED = 20
_SEGMENT_S = 30.0
_MAX_NUMBER = 10**9

P = ParamSpec("P")
T = TypeVar("T")

# Limits stand in the schema for models to read; the tools check them themselves, to say in one line what is wrong.
TimeoutS = Annotated[
    float, Field(description="How long to wait, seconds.", json_schema_extra={"minimum": 0, "maximum": MAX_WAIT_S})
]
Count = Annotated[int, Field(description="How many.", json_schema_extra={"minimum": 1, "maximum": MAX_LISTED})]
Number = Annotated[int, Field(description="The id of a collision.", json_schema_extra={"minimum": 1})]


@dataclass(frozen=True, kw_only=True)
class WaitAnswer:
    """What came of a wait."""

    heard: bool
    words: str
    """The collision, or why there was none, in a sentence or two."""
    num_missed: int
    """Collisions that were forgotten before this tool could return them."""
    collision: CollisionFacts | None


@dataclass(frozen=True, kw_only=True)
class CollisionList:
    """The newest collisions in short."""

    num_heard: int
    """Collisions since the server began."""
    collisions: list[str]
    """A sentence for each, newest last."""


@dataclass(frozen=True, kw_only=True)
class PerceptionReport:
    """How perception is."""

    words: str
    """What the perception node says about itself."""
    num_heard: int
    """Collisions since the server began."""


def _bounded(call: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Turns what a user can mend into an error that the model reads, in one line."""

    @wraps(call)
    async def bounded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await call(*args, **kwargs)
        except (ValueError, PerceptionError) as error:
            raise ToolError(" ".join(str(error).split())) from None

    return bounded


class PerceptionTools:
    """The tools over what a server hears.

    Args:
        hearing: Listens in the background.
    """

    def __init__(self, hearing: BackgroundHearing) -> None:
        self._hearing = hearing
        self._returned = 0

    @_bounded
    async def wait_for_collision(self, timeout_s: TimeoutS = 30.0) -> WaitAnswer:
        """Wait until two things hit each other, and say which. Returns at once if one happened since the last call.

        Collisions come in order, one per call, and none is returned twice. If nothing happens in time, heard is false
        and words says what the perception node reports about itself.
        """
        timeout_s = seconds("timeout_s", timeout_s, high=MAX_WAIT_S)
        try:
            found = await self._hearing.wait_after(self._returned, timeout_s)
        except PerceptionSilentError as error:
            return WaitAnswer(heard=False, words=str(error), num_missed=0, collision=None)
        num_missed, self._returned = found.number - self._returned - 1, found.number
        facts = found.facts()
        return WaitAnswer(heard=True, words=facts.words, num_missed=num_missed, collision=facts)

    @_bounded
    async def last_collisions(self, n: Count = 5) -> CollisionList:
        """List the newest collisions, a sentence each, newest last. Does not wait."""
        count = whole_number("n", n, 1, MAX_LISTED)
        memory = self._hearing.memory
        words = [remembered.facts().words for remembered in memory.newest(count)]
        return CollisionList(num_heard=memory.num_heard, collisions=words)

    @_bounded
    async def describe_collision(self, id: Number) -> CollisionFacts:
        """All facts about one collision: objects with their boxes in pixels, scores, contact, and what was rejected."""
        return self._hearing.memory.get(_number(id)).facts()

    @_bounded
    async def look(self, id: Number) -> list[str | Image]:
        """Show one collision: the camera image with the colliding objects tinted, then a crop of each object."""
        remembered = self._hearing.memory.get(_number(id))
        if not remembered.pictures:
            raise ValueError(
                f"collision {remembered.number} has no picture: the camera's image was lost or the server does not "
                "know the topic; start it with --image, the camera topic of the perception node"
            )
        pictures = (Image(data=data, format="jpeg") for data in remembered.pictures)
        return [remembered.facts().words, *pictures]

    @_bounded
    async def segment_now(self) -> CollisionFacts:
        """Say which objects in view make the sound of the last two seconds, whether or not an impact was noticed.

        Use it when something was heard that wait_for_collision did not report. The answer gets an id of its own.
        """
        collision = await self._hearing.client.segment_now(timeout=_SEGMENT_S)
        return (await self._hearing.remember(collision)).facts()

    @_bounded
    async def perception_status(self) -> PerceptionReport:
        """Say whether perception runs and hears well, and what is wrong if it does not."""
        node = self._hearing.client
        words = f"The perception node {node.node_name} says: {node.diagnosis()}."
        return PerceptionReport(words=words, num_heard=self._hearing.memory.num_heard)

    async def newest_overlay(self) -> bytes:
        """The newest collision's image with masks, JPEG."""
        for remembered in reversed(self._hearing.memory.newest(self._hearing.memory.num_heard)):
            if remembered.pictures:
                return remembered.pictures[0]
        raise ResourceError("there is no overlay yet: call wait_for_collision, and see that --image names the camera")

    def all(self) -> tuple[Callable[..., Any], ...]:
        """The tools, by the names of their functions."""
        return (
            self.wait_for_collision,
            self.last_collisions,
            self.describe_collision,
            self.look,
            self.segment_now,
            self.perception_status,
        )


def _number(id: int) -> int:
    return whole_number("id", id, 1, _MAX_NUMBER)
