"""Following the objects of one collision at a time, the newest asked for, in a thread of its own."""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass

from cs3_model.frame_ring import FrameRing, StoredFrame
from cs3_model.tracking.tracker import FollowedObject, Track, Tracker
from cs3_model.types import BoolMask, Frame

logger = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_STRIDE_NS = 100_000_000
"""From one followed frame to the next at most, where there are more than can be followed in time."""


class FollowReason(str, enum.Enum):
    """Why following ended, or never began: the fixed words of `TrackCollision.Result.reason`."""

    DONE = "done"
    """The time asked for is over."""
    CANCELLED = "cancelled"
    """It was asked to end."""
    SUPERSEDED = "superseded"
    """A newer goal came."""
    UNKNOWN_EVENT = "unknown_event"
    """There was no such collision."""
    TOO_OLD = "too_old"
    """The collision, or its image, is no longer in memory."""
    NO_MASKS = "no_masks"
    """The collision has no objects, so there is nothing to follow."""
    BAD_DURATION = "bad_duration"
    """The duration is no number of seconds in the range."""
    FRAMES_STOPPED = "frames_stopped"
    """No image came any more."""
    FRAME_SIZE = "frame_size"
    """An image has another size than the masks."""
    TIME_JUMP = "time_jump"
    """The stamps of the images jumped back."""
    CLIENT_GONE = "client_gone"
    """Nobody listens any more."""
    STOPPED = "stopped"
    """The tracker was shut down."""
    ERROR = "error"
    """Following failed."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowOutcome:
    """How following ended."""

    reason: FollowReason
    detail: str
    """The same as a sentence."""
    num_frames: int = 0
    """Frames in which the objects were followed."""


class CannotFollowError(ValueError):
    """What is asked for cannot be followed.

    Args:
        reason: The fixed word.
        detail: The same as a sentence, with what to do.
    """

    def __init__(self, reason: FollowReason, detail: str) -> None:
        super().__init__(detail)
        self.outcome = FollowOutcome(reason=reason, detail=detail)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FollowGoal:
    """What to follow.

    Raises:
        CannotFollowError: if there are no masks.
    """

    stamp_ns: int
    """Of the image in which the masks are, nanoseconds."""
    masks: tuple[BoolMask, ...]
    """bool [H, W] each."""
    duration_s: float
    """How long, seconds of the images' stamps."""

    def __post_init__(self) -> None:
        if not self.masks or not all(mask.any() for mask in self.masks):
            raise CannotFollowError(FollowReason.NO_MASKS, "the collision has no objects: there is nothing to follow")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FollowedFrame:
    """Where the objects are in one frame."""

    stamp_ns: int
    frame_id: str
    """Coordinate frame of the camera."""
    objects: tuple[FollowedObject, ...]
    """In the order of the goal's masks."""


OnFollowed = Callable[[FollowedFrame], None]


class Following:
    """One goal under way. `ended` is done once, when the follower has let go of it."""

    def __init__(self, goal: FollowGoal, on_followed: OnFollowed) -> None:
        self.goal = goal
        self.on_followed = on_followed
        self.num_frames = 0
        self.ended: Future[FollowOutcome] = Future()
        self.asked_to_end: tuple[FollowReason, str] | None = None

    def finish(self, reason: FollowReason, detail: str) -> None:
        """Says that it has ended; only the first reason counts."""
        with suppress(InvalidStateError):
            self.ended.set_result(FollowOutcome(reason=reason, detail=detail, num_frames=self.num_frames))


class Follower:
    """Follows in a thread of its own. Thread-safe.

    Example::

        follower.push_frame(frame)                                     # every frame, always
        following = follower.follow(goal, on_followed=print)           # the one before ends as superseded
        following.ended.result()                                       # FollowOutcome(reason=DONE, ...)

    Where frames come faster than they can be followed, some are left out, but never more than a tenth of a second.

    Args:
        tracker: Used by this follower's thread only.
        max_bytes: Memory for undecoded frames: a goal must come while the frame of its masks is still there.
        silence_s: Without a frame for so long, following ends.
    """

    def __init__(self, tracker: Tracker, *, max_bytes: int = 256 * 2**20, silence_s: float = 2.0) -> None:
        self._tracker = tracker
        self._silence_s = silence_s
        self._frames = FrameRing(max_bytes=max_bytes)
        self._wake = threading.Condition()
        self._current: Following | None = None
        self._waiting: Following | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="cs3_follower", daemon=True)
        self._thread.start()

    def push_frame(self, frame: StoredFrame) -> None:
        """Takes a frame; returns at once."""
        with self._wake:
            if self._frames.push(frame):
                self._end_all(FollowReason.TIME_JUMP, "the stamps of the images jumped back")
            self._wake.notify_all()

    def follow(self, goal: FollowGoal, on_followed: OnFollowed) -> Following:
        """Begins to follow; returns at once.

        Args:
            goal: What to follow.
            on_followed: Called from the follower's thread with each followed frame.

        Raises:
            CannotFollowError: if the frame of the goal's masks is not in memory.
        """
        following = Following(goal, on_followed)
        with self._wake:
            frame = self._frames.nearest(goal.stamp_ns)
            if frame is None or frame.stamp_ns != goal.stamp_ns:
                raise CannotFollowError(
                    FollowReason.TOO_OLD,
                    "the image of the collision is not in memory: ask sooner after the collision, "
                    "or see that the tracker has the camera of the perception node",
                )
            self._end_all(FollowReason.SUPERSEDED, "a newer goal came")
            never_begun, self._waiting = self._waiting, following
            self._wake.notify_all()
        if never_begun is not None:
            never_begun.finish(FollowReason.SUPERSEDED, "a newer goal came")
        return following

    def end(self, following: Following, reason: FollowReason, detail: str) -> None:
        """Asks one to end; without effect once it has."""
        with self._wake:
            following.asked_to_end = following.asked_to_end or (reason, detail)
            self._wake.notify_all()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Ends what is under way and the thread; returns False if a step took longer and the thread is left behind."""
        with self._wake:
            self._stopping = True
            self._end_all(FollowReason.STOPPED, "the tracker was shut down")
            begun = self._current
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if begun is not None:
            begun.finish(FollowReason.STOPPED, "the tracker was shut down meanwhile")
        return not self._thread.is_alive()

    def _end_all(self, reason: FollowReason, detail: str) -> None:
        for following in (self._current, self._waiting):
            if following is not None:
                self.end(following, reason, detail)

    # --- in the thread ---

    def _run(self) -> None:
        while (following := self._next()) is not None:
            try:
                reason, detail = self._follow(following)
            except CannotFollowError as error:
                reason, detail = error.outcome.reason, error.outcome.detail
            except Exception as error:  # a network may fail in any way; the next goal may still succeed
                logger.exception("following failed")
                reason, detail = FollowReason.ERROR, f"{type(error).__name__}: {error}"
            with self._wake:
                self._current = None
            following.finish(reason, detail)

    def _next(self) -> Following | None:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting is not None or self._stopping)
            self._current, self._waiting = self._waiting, None
            return self._current

    def _follow(self, following: Following) -> tuple[FollowReason, str]:
        if following.asked_to_end is not None:
            return following.asked_to_end
        goal = following.goal
        end_ns = goal.stamp_ns + round(goal.duration_s * _NS_PER_S)
        track, last_ns = self._started(goal), goal.stamp_ns
        while last_ns < end_ns:
            frame = self._frame_after(last_ns, following)
            if following.asked_to_end is not None:
                return following.asked_to_end
            if frame is None:
                return (
                    FollowReason.FRAMES_STOPPED,
                    f"no image has come for {self._silence_s:g} s: see that the camera runs",
                )
            last_ns = frame.stamp_ns
            if last_ns <= end_ns:
                self._step(track, frame, following)
        return FollowReason.DONE, f"followed for {goal.duration_s:g} s"

    def _started(self, goal: FollowGoal) -> Track:
        with self._wake:
            stored = self._frames.nearest(goal.stamp_ns)
        assert stored is not None  # it was there when the goal came, and the newest frame stays
        frame = _decoded(stored, goal)
        if frame is None or stored.stamp_ns != goal.stamp_ns:
            raise CannotFollowError(FollowReason.TOO_OLD, "the image of the collision is not in memory or is broken")
        return self._tracker.start(frame.image, goal.masks)

    def _step(self, track: Track, stored: StoredFrame, following: Following) -> None:
        frame = _decoded(stored, following.goal)
        if frame is None:
            return
        objects = track.step(frame.image)
        following.num_frames += 1
        following.on_followed(FollowedFrame(stamp_ns=frame.stamp_ns, frame_id=frame.frame_id, objects=objects))

    def _frame_after(self, stamp_ns: int, following: Following) -> StoredFrame | None:
        """The next frame to follow, at most a stride away if there is one; None if none comes, or it shall end."""
        deadline_s = time.monotonic() + self._silence_s
        with self._wake:
            while following.asked_to_end is None:
                if frame := self._frames.nearest(stamp_ns + _STRIDE_NS, after_ns=stamp_ns):
                    return frame
                if (left_s := deadline_s - time.monotonic()) <= 0:
                    return None
                self._wake.wait(left_s)
        return None


def _decoded(stored: StoredFrame, goal: FollowGoal) -> Frame | None:
    """A frame of the size of the masks; None where it is broken, which is one frame less to follow.

    Raises:
        CannotFollowError: if it has another size.
    """
    try:
        frame = stored.decode()
    except Exception as error:  # decoders have exceptions of their own besides ValueError
        logger.warning("an image was left out: %s", error)
        return None
    size_hw, mask_hw = frame.size_hw, goal.masks[0].shape
    if size_hw != mask_hw:
        raise CannotFollowError(
            FollowReason.FRAME_SIZE,
            f"the image has {size_hw[1]}x{size_hw[0]} pixels, the masks {mask_hw[1]}x{mask_hw[0]}: "
            "follow in the images of the perception node",
        )
    return frame
