"""One thread that owns the device and segments events, newest first.

When events come faster than they can be segmented, the oldest waiting ones end as `Reason.OVERLOAD`: fresh answers
are worth more than late ones. A failing event ends as `Reason.ERROR` and the thread goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from cs3_model.frame_ring import StoredFrame
from cs3_model.memory import LARGE_PIXELS, give_back_memory
from cs3_model.pipeline import CollisionPipeline, PreparedFrame
from cs3_model.steps import Event, Fail, Finish, Prepare, Step
from cs3_model.types import AudioWindow, CollisionResult, Frame, Reason, no_collision

_Value = TypeVar("_Value")

logger = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 2**29
"""Images of requests that may wait: 80 of 1080p, or 20 of 4K."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """How one confirmed onset ended."""

    result: CollisionResult
    frame: Frame | None = None
    """The image that was used, None where there was none."""
    window: AudioWindow | None = None
    """The sound that was used, None where there was none."""
    complete_s: float | None = None
    """Monotonic time at which the last needed piece arrived, seconds."""


OnResult = Callable[[Event, Outcome], None]


def segment_event(pipeline: CollisionPipeline, step: Finish, prepared: PreparedFrame | None = None) -> Outcome:
    """Segments one complete event; never raises.

    Args:
        pipeline: The pipeline.
        step: The event.
        prepared: The vision stage's result, if it ran already.
    """
    frame = prepared.frame if prepared else None
    try:
        frame = frame or _decoded_or_spare(step)
    except Exception as error:  # decoders have exceptions of their own besides ValueError
        return Outcome(result=no_collision(Reason.BAD_FRAME, str(error)), complete_s=step.complete_s)
    try:
        prepared = prepared or pipeline.prepare(frame, _decoded(step.before))
        after = _decoded(step.after)
        result = pipeline.finish(prepared, step.window, after, onset_doubt=step.event.doubt)
    except Exception as error:  # a part may fail in any way; the next event may still succeed
        logger.exception("segmenting the onset at %d ns failed", step.event.onset_ns)
        result = no_collision(Reason.ERROR, f"{type(error).__name__}: {error}")
    return Outcome(result=result, frame=frame, window=step.window, complete_s=step.complete_s)


def _decoded_or_spare(step: Finish) -> Frame:
    """The event's frame, or its neighbour where that was asked for and the frame is broken."""
    try:
        return step.frame.decode()
    except Exception as error:  # decoders have exceptions of their own besides ValueError
        if step.spare is None:
            raise
        logger.warning("the image nearest to the onset is replaced by its neighbour: %s", error)
        return step.spare.decode()


def _decoded(frame: StoredFrame | None) -> Frame | None:
    """A frame that only tells what moved: one that cannot be decoded is as good as none."""
    try:
        return frame.decode() if frame else None
    except Exception as error:  # decoders have exceptions of their own besides ValueError
        logger.debug("the frame at %d ns cannot be decoded: %s", frame.stamp_ns if frame else 0, error)
        return None


def _unsegmented(reason: Reason, detail: str) -> Outcome:
    return Outcome(result=no_collision(reason, detail))


class PerceptionWorker:
    """Runs a pipeline in a thread of its own.

    Args:
        pipeline: Used by this worker's thread only.
        on_result: Called for each `Finish` and `Fail`, exactly once, from this worker's thread, or from the caller of
            `submit` and `stop` for events that need no segmentation.
        max_waiting: Events that may wait; beyond it the oldest ends as `Reason.OVERLOAD`.
    """

    def __init__(self, pipeline: CollisionPipeline, on_result: OnResult, *, max_waiting: int = 4) -> None:
        if max_waiting < 1:
            raise ValueError(f"max_waiting must be at least 1, got {max_waiting}")
        self.pipeline = pipeline
        self._on_result = on_result
        self._max_waiting = max_waiting
        self._wake = threading.Condition()
        self._stopping = False
        self._requests: list[tuple[Frame, AudioWindow, Future[CollisionResult]]] = []
        self._finish: dict[int, Finish] = {}
        self._prepare: dict[int, Prepare] = {}
        self._prepared: dict[int, PreparedFrame] = {}
        self._in_progress: Finish | None = None
        self._answering: Future[CollisionResult] | None = None
        self._num_begun = 0
        self._is_busy = False
        self._thread = threading.Thread(target=self._run, name="cs3_perception", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """Events and requests that wait for the device."""
        with self._wake:
            return len(self._finish) + len(self._requests)

    @property
    def work_in_progress(self) -> int | None:
        """Number of the piece of work that the device does at present, counted from 1; None while it does nothing.

        The same number over a long time means that the device hangs.
        """
        with self._wake:
            return self._num_begun if self._is_busy else None

    def submit(self, step: Step) -> None:
        """Takes one step of a `CollisionStream`; returns at once."""
        ended: list[tuple[Event, Outcome]] = []
        with self._wake:
            event_id = step.event.event_id
            if isinstance(step, Prepare):
                self._prepare[event_id] = step
                _drop_oldest(self._prepare, self._max_waiting)
            elif isinstance(step, Finish):
                self._finish[event_id] = step
                for old in _drop_oldest(self._finish, self._max_waiting):
                    self._forget(old.event)
                    ended.append((old.event, _unsegmented(Reason.OVERLOAD, "newer collisions were more urgent")))
            else:
                self._forget(step.event)
                if isinstance(step, Fail):
                    ended.append((step.event, _unsegmented(step.reason, step.detail)))
            self._wake.notify()
        for event, outcome in ended:
            self._report(event, outcome)

    def request(self, frame: Frame, window: AudioWindow) -> Future[CollisionResult]:
        """Segments one pair out of turn, before all waiting events.

        Raises:
            ValueError: if this worker stops, or the images of those that wait take too much memory.
        """
        future: Future[CollisionResult] = Future()
        with self._wake:
            if self._stopping:
                raise ValueError("perception is shutting down")
            if sum(waiting.image.nbytes for waiting, _, _ in self._requests) > _MAX_REQUEST_BYTES:
                raise ValueError("too many requests with large images wait for the device: ask again later")
            self._requests.append((frame, window, future))
            self._wake.notify()
        return future

    def stop(
        self, timeout_s: float = 2.0, *, reason: Reason = Reason.STOPPED, detail: str = "perception was shut down"
    ) -> bool:
        """Ends the thread after the event in progress; waiting events and requests end with `reason` and `detail`.

        Returns:
            False if the work in progress took longer than `timeout_s`: its event or request ends like those that waited,
            and the daemon thread is left behind.
        """
        with self._wake:
            self._stopping = True
            abandoned, requests = list(self._finish.values()), self._requests
            self._finish, self._requests, self._prepare = {}, [], {}
            self._wake.notify()
        for step in abandoned:
            self._report(step.event, _unsegmented(reason, detail))
        for _, _, future in requests:
            future.set_exception(ValueError(detail))
        self._thread.join(timeout_s)
        if overdue := self._take_in_progress():
            self._report(overdue.event, _unsegmented(reason, detail))
        if answering := self._answering:
            with suppress(InvalidStateError):  # it has been answered
                answering.set_exception(ValueError(detail))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._requests or self._finish or self._prepare)
                if self._stopping:
                    return
                work = self._next_work()
                self._num_begun, self._is_busy = self._num_begun + 1, True
            try:
                work()
            except Exception:  # whatever it is, the thread must survive
                logger.exception("the device's thread met an error of its own")
            with self._wake:
                self._is_busy = False

    def _next_work(self) -> Callable[[], None]:
        """Requests first, then the newest complete event, then the newest onset's vision stage."""
        if self._requests:
            frame, window, future = self._requests.pop(0)
            self._answering = future
            return lambda: self._answer(frame, window, future)
        if self._finish:
            _, finish = self._finish.popitem()
            self._prepare.pop(finish.event.event_id, None)
            prepared = self._prepared.pop(finish.event.event_id, None)
            self._in_progress = finish
            return lambda: self._run_finish(finish, prepared)
        _, prepare = self._prepare.popitem()
        return lambda: self._run_prepare(prepare)

    def _run_prepare(self, step: Prepare) -> None:
        try:
            prepared = self.pipeline.prepare(step.frame.decode(), _decoded(step.before))
        except Exception as error:  # if the onset is confirmed, segment_event meets the same error and reports it
            logger.debug("preparing the onset at %d ns failed: %s", step.event.onset_ns, error)
            return
        with self._wake:
            self._prepared[step.event.event_id] = prepared
            _drop_oldest(self._prepared, self._max_waiting)

    def _run_finish(self, step: Finish, prepared: PreparedFrame | None) -> None:
        outcome = segment_event(self.pipeline, step, prepared)
        if self._take_in_progress():  # otherwise `stop` has ended it already
            self._report(step.event, outcome)

    def _take_in_progress(self) -> Finish | None:
        with self._wake:
            step, self._in_progress = self._in_progress, None
            return step

    def _answer(self, frame: Frame, window: AudioWindow, future: Future[CollisionResult]) -> None:
        with suppress(InvalidStateError):  # `stop` has ended it already
            try:
                future.set_result(self.pipeline.process(frame, window))
            except Exception as error:  # handed to whoever waits for the future
                future.set_exception(error)
        self._answering = None
        if frame.image.shape[0] * frame.image.shape[1] > LARGE_PIXELS:
            give_back_memory()

    def _report(self, event: Event, outcome: Outcome) -> None:
        """Hands on how an event ended; where that fails, neither this thread nor the other events suffer."""
        try:
            self._on_result(event, outcome)
        except Exception:
            logger.exception("handing on a result failed")

    def _forget(self, event: Event) -> None:
        self._prepare.pop(event.event_id, None)
        self._prepared.pop(event.event_id, None)


def _drop_oldest(waiting: dict[int, _Value], limit: int) -> list[_Value]:
    return [waiting.pop(next(iter(waiting))) for _ in range(len(waiting) - limit)]
