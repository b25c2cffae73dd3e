"""From a request of TrackCollision to what is followed: the masks of a collision that was heard lately."""

from __future__ import annotations

from collections import deque
from typing import Any

from cs3_msgs.msg import Collision

from cs3_model.tracking.follower import CannotFollowError, FollowGoal, FollowReason
from cs3_ros.conversions.collisions import candidates_from_msg
from cs3_ros.conversions.times import stamp_to_ns

_MAX_REMEMBERED = 32


class RecentCollisions:
    """The newest collisions as they came. Not thread-safe.

    Args:
        max_duration_s: Longer goals are refused.
    """

    def __init__(self, *, max_duration_s: float) -> None:
        if not 0.0 < max_duration_s <= 3600.0:
            raise ValueError(f"max_duration_s must be in (0, 3600], got {max_duration_s}")
        self._max_duration_s = max_duration_s
        self._remembered: deque[Collision] = deque(maxlen=_MAX_REMEMBERED)

    def push(self, msg: Collision) -> None:
        """Adds a collision; one with the same onset as an earlier one, as of a bag that begins again, counts as newer."""
        self._remembered.append(msg)

    def goal(self, request: Any) -> FollowGoal:
        """What a TrackCollision.Goal asks for.

        Raises:
            CannotFollowError: if the duration is out of its range, the collision is not known, too old, has no masks,
                or cannot be read.
        """
        duration_s = request.duration_s
        if not 0.0 < duration_s <= self._max_duration_s:  # also NaN
            raise CannotFollowError(
                FollowReason.BAD_DURATION,
                f"duration_s must be in (0, {self._max_duration_s:g}], got {duration_s:g}",
            )
        msg = self._collision(stamp_to_ns(request.onset))
        try:
            masks, _ = candidates_from_msg(msg)
        except ValueError as error:
            raise CannotFollowError(FollowReason.ERROR, f"the collision cannot be read: {error}") from None
        return FollowGoal(
            stamp_ns=stamp_to_ns(msg.header.stamp),
            masks=tuple(candidate.mask for candidate in masks),
            duration_s=duration_s,
        )

    def _collision(self, onset_ns: int) -> Collision:
        for msg in reversed(self._remembered):
            if stamp_to_ns(msg.onset) == onset_ns:
                return msg
        is_full = len(self._remembered) == _MAX_REMEMBERED
        if is_full and onset_ns < min(stamp_to_ns(msg.onset) for msg in self._remembered):
            raise CannotFollowError(
                FollowReason.TOO_OLD, f"only the last {_MAX_REMEMBERED} collisions are remembered: ask sooner"
            )
        raise CannotFollowError(
            FollowReason.UNKNOWN_EVENT,
            f"no collision with the onset {onset_ns} ns was heard: give Collision.onset of a message of the "
            "perception node, after the tracker was started",
        )
