"""The worker: newest first, nothing lost, no failure ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cs3_model.frame_ring import StoredFrame
from cs3_model.pipeline import CollisionPipeline
from cs3_model.steps import Event, Fail, Finish, Prepare, Withdraw
from cs3_model.types import AudioWindow, Frame, Reason, Role, UInt8Image, Verdict
from cs3_model.worker import Outcome, PerceptionWorker, segment_event

RIGHT = (220.0, 60.0, 270.0, 130.0)
DEADLINE_S = 10.0


class Outcomes:
    """Collects outcomes and lets a test wait for their number."""

    def __init__(self) -> None:
        self.by_id: dict[int, list[Outcome]] = {}
        self.order: list[int] = []
        self._arrived = threading.Condition()

    def __call__(self, event: Event, outcome: Outcome) -> None:
        with self._arrived:
            self.by_id.setdefault(event.event_id, []).append(outcome)
            self.order.append(event.event_id)
            self._arrived.notify_all()

    def wait(self, count: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.order) >= count, DEADLINE_S), self.order

    def reason(self, event_id: int) -> Reason:
        (outcome,) = self.by_id[event_id]
        return outcome.result.reason


class Gate:
    """Holds the worker inside the pipeline's vision stage until opened; counts the stage's runs."""

    def __init__(self, pipeline: CollisionPipeline) -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.num_prepared = 0
        prepare = pipeline.prepare

        def held(frame: Frame, before: Frame | None = None):
            self.num_prepared += 1
            self.entered.set()
            assert self.open.wait(DEADLINE_S)
            return prepare(frame, before)

        pipeline.prepare = held


@pytest.fixture
def pipeline(make_pipeline: Callable[..., CollisionPipeline]) -> CollisionPipeline:
    return make_pipeline(None, RIGHT)


def event(event_id: int) -> Event:
    return Event(event_id=event_id, onset_ns=event_id * 10**9, strength_db=20.0)


def stored(frame: Frame, decode: Callable | None = None) -> StoredFrame:
    return StoredFrame(
        stamp_ns=frame.stamp_ns, frame_id=frame.frame_id, num_bytes=1, decode_image=decode or (lambda: frame.image)
    )


def finish(event_id: int, frame: Frame, window: AudioWindow, decode: Callable | None = None) -> Finish:
    return Finish(event=event(event_id), frame=stored(frame, decode), window=window, complete_s=0.0)


def test_a_complete_event_is_segmented(pipeline, spot_frame, window) -> None:
    outcomes = Outcomes()
    worker = PerceptionWorker(pipeline, outcomes)
    worker.submit(finish(1, spot_frame, window))
    outcomes.wait(1)
    outcome = outcomes.by_id[1][0]
    assert outcome.result.verdict is Verdict.TWO_OBJECTS
    assert {mask.role for mask in outcome.result.masks} == {Role.RIGHT_HAND, Role.AUDIO_VISUAL}
    assert outcome.frame.stamp_ns == spot_frame.stamp_ns and outcome.window is window
    assert worker.stop()


def broken() -> UInt8Image:
    raise ValueError("truncated")


def test_a_broken_frame_is_replaced_by_the_spare_one_where_there_is_one(pipeline, spot_frame, window) -> None:
    bad, good = stored(spot_frame, broken), stored(spot_frame)
    without = Finish(event=event(1), frame=bad, window=window, complete_s=0.0)
    assert segment_event(pipeline, without).result.reason is Reason.BAD_FRAME
    outcome = segment_event(pipeline, replace(without, spare=good))
    assert outcome.result.verdict is Verdict.TWO_OBJECTS and outcome.frame.stamp_ns == good.stamp_ns
    assert segment_event(pipeline, replace(without, spare=bad)).result.reason is Reason.BAD_FRAME


def test_the_vision_stage_of_an_onset_is_used_once(pipeline, spot_frame, window) -> None:
    outcomes, gate = Outcomes(), Gate(pipeline)
    gate.open.set()
    worker = PerceptionWorker(pipeline, outcomes)
    worker.submit(Prepare(event=event(1), frame=stored(spot_frame)))
    assert gate.entered.wait(DEADLINE_S)
    worker.submit(finish(1, spot_frame, window))
    outcomes.wait(1)
    assert gate.num_prepared == 1
    worker.stop()


def test_the_newest_event_comes_first_and_the_oldest_gives_way(pipeline, spot_frame, window) -> None:
    outcomes, gate = Outcomes(), Gate(pipeline)
    worker = PerceptionWorker(pipeline, outcomes, max_waiting=2)
    worker.submit(finish(0, spot_frame, window))
    assert gate.entered.wait(DEADLINE_S)
    for event_id in (1, 2, 3):
        worker.submit(finish(event_id, spot_frame, window))
    assert worker.num_waiting == 2
    gate.open.set()
    outcomes.wait(4)
    assert outcomes.order == [1, 0, 3, 2]
    assert outcomes.reason(1) is Reason.OVERLOAD and outcomes.reason(2) is not Reason.OVERLOAD
    worker.stop()


def test_a_broken_frame_and_a_failing_part_end_their_event_only(pipeline, spot_frame, window) -> None:
    def broken() -> np.ndarray:
        raise ValueError("truncated JPEG")

    outcomes = Outcomes()
    worker = PerceptionWorker(pipeline, outcomes)
    worker.submit(finish(1, spot_frame, window, broken))
    outcomes.wait(1)
    segment, pipeline.boxes.segment = pipeline.boxes.segment, lambda *_: 1 / 0
    worker.submit(finish(2, spot_frame, window))
    outcomes.wait(2)
    pipeline.boxes.segment = segment
    worker.submit(finish(3, spot_frame, window))
    outcomes.wait(3)
    assert outcomes.reason(1) is Reason.BAD_FRAME and "truncated JPEG" in outcomes.by_id[1][0].result.detail
    assert outcomes.reason(2) is Reason.ERROR and "ZeroDivisionError" in outcomes.by_id[2][0].result.detail
    assert outcomes.by_id[3][0].result.verdict is Verdict.TWO_OBJECTS
    worker.stop()


def test_failed_events_are_handed_on_and_withdrawn_ones_forgotten(pipeline, spot_frame) -> None:
    outcomes = Outcomes()
    worker = PerceptionWorker(pipeline, outcomes)
    worker.submit(Prepare(event=event(1), frame=stored(spot_frame)))
    worker.submit(Withdraw(event=event(1)))
    worker.submit(Fail(event=event(2), reason=Reason.NO_FRAME, detail="none"))
    outcomes.wait(1)
    worker.stop()
    assert outcomes.order == [2] and outcomes.reason(2) is Reason.NO_FRAME


def test_stopping_ends_what_waits(pipeline, spot_frame, window) -> None:
    outcomes, gate = Outcomes(), Gate(pipeline)
    worker = PerceptionWorker(pipeline, outcomes)
    worker.submit(finish(0, spot_frame, window))
    assert gate.entered.wait(DEADLINE_S)
    worker.submit(finish(1, spot_frame, window))
    request = worker.request(spot_frame, window)
    threading.Timer(0.1, gate.open.set).start()
    assert worker.stop()
    assert outcomes.reason(1) is Reason.STOPPED and 0 in outcomes.by_id
    with pytest.raises(ValueError, match="shut down"):
        request.result(DEADLINE_S)
    with pytest.raises(ValueError, match="shutting down"):
        worker.request(spot_frame, window)


def test_requests_come_before_events_and_carry_errors_back(pipeline, spot_frame, window) -> None:
    outcomes = Outcomes()
    worker = PerceptionWorker(pipeline, outcomes)
    assert worker.request(spot_frame, window).result(DEADLINE_S).verdict is Verdict.TWO_OBJECTS
    pipeline.boxes.segment = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        worker.request(spot_frame, window).result(DEADLINE_S)
    worker.stop()


def test_an_event_that_outlasts_stopping_ends_as_stopped_and_only_once(pipeline, spot_frame, window) -> None:
    outcomes, gate = Outcomes(), Gate(pipeline)
    worker = PerceptionWorker(pipeline, outcomes)
    worker.submit(finish(1, spot_frame, window))
    assert gate.entered.wait(DEADLINE_S)
    assert not worker.stop(timeout_s=0.01)
    assert outcomes.reason(1) is Reason.STOPPED
    gate.open.set()
    assert worker.stop(DEADLINE_S)
    assert outcomes.order == [1]


def test_a_decoder_may_fail_in_any_way(pipeline, spot_frame, window) -> None:
    def broken() -> np.ndarray:
        raise RuntimeError("no such codec")

    outcomes = Outcomes()
    worker = PerceptionWorker(pipeline, outcomes)
    worker.submit(finish(1, spot_frame, window, broken))
    outcomes.wait(1)
    assert outcomes.reason(1) is Reason.BAD_FRAME and "no such codec" in outcomes.by_id[1][0].result.detail
    worker.stop()


def test_work_that_hangs_is_told_by_its_number_and_ends_with_what_is_said_of_it(pipeline, spot_frame, window) -> None:
    outcomes, gate = Outcomes(), Gate(pipeline)
    worker = PerceptionWorker(pipeline, outcomes)
    assert worker.work_in_progress is None
    worker.submit(finish(1, spot_frame, window))
    assert gate.entered.wait(DEADLINE_S)
    worker.submit(finish(2, spot_frame, window))
    assert worker.work_in_progress == 1
    assert not worker.stop(0.0, reason=Reason.ERROR, detail="it hangs")
    assert {key: (o.result.reason, o.result.detail) for key, (o,) in outcomes.by_id.items()} == {
        1: (Reason.ERROR, "it hangs"),
        2: (Reason.ERROR, "it hangs"),
    }
    gate.open.set()


def test_a_request_that_hangs_ends_with_what_is_said_of_it(pipeline, spot_frame, window) -> None:
    gate = Gate(pipeline)
    worker = PerceptionWorker(pipeline, Outcomes())
    future = worker.request(spot_frame, window)
    assert gate.entered.wait(DEADLINE_S)
    assert not worker.stop(0.0, reason=Reason.ERROR, detail="it hangs")
    with pytest.raises(ValueError, match="it hangs"):
        future.result(DEADLINE_S)
    gate.open.set()
