"""One goal at a time, the newest; every end has its reason, and nothing grows."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from cs3_model.frame_ring import StoredFrame
from cs3_model.tracking.follower import CannotFollowError, FollowedFrame, Follower, FollowGoal, FollowReason
from cs3_model.tracking.tracker import FollowedObject

DEADLINE_S = 60.0
MS = 1_000_000
SIZE_HW = (20, 30)
MASK = np.zeros(SIZE_HW, bool)
MASK[5:10, 5:10] = True


class BrightPixels:
    """Follows whatever is bright."""

    name = "bright pixels"
    trained = True

    def __init__(self) -> None:
        self.may_step = threading.Event()
        self.may_step.set()
        self.num_started = 0

    def start(self, image, masks):
        self.num_started += 1
        return self

    def step(self, image):
        assert self.may_step.wait(DEADLINE_S)
        if image[0, 0, 0] == 77:
            raise RuntimeError("the network broke")
        return (FollowedObject.seen(image[..., 0] > 200, 1.0),)


def frame(time_ms: int, x: int = 5, size_hw=SIZE_HW, corner: int = 0, broken: bool = False) -> StoredFrame:
    def decode():
        if broken:
            raise ValueError("broken")
        image = np.zeros((*size_hw, 3), np.uint8)
        image[5:10, x : x + 5] = 255
        image[0, 0] = corner
        return image

    return StoredFrame(stamp_ns=time_ms * MS, frame_id="camera", num_bytes=100, decode_image=decode)


def goal(time_ms: int = 0, duration_s: float = 0.5) -> FollowGoal:
    return FollowGoal(stamp_ns=time_ms * MS, masks=(MASK,), duration_s=duration_s)


@pytest.fixture
def tracker() -> BrightPixels:
    return BrightPixels()


@pytest.fixture
def follower(tracker) -> Iterator[Follower]:
    follower = Follower(tracker, max_bytes=10_000, silence_s=DEADLINE_S)
    yield follower
    tracker.may_step.set()
    assert follower.stop(DEADLINE_S)


def test_the_object_is_followed_from_frame_to_frame_until_the_time_is_over(follower) -> None:
    seen: list[FollowedFrame] = []
    for step in range(8):
        follower.push_frame(frame(100 * step, 5 + step))
    outcome = follower.follow(goal(duration_s=0.5), seen.append).ended.result(DEADLINE_S)
    assert (outcome.reason, outcome.num_frames) == (FollowReason.DONE, 5)
    assert [found.stamp_ns // MS for found in seen] == [100, 200, 300, 400, 500]
    assert [found.objects[0].box_xyxy[0] for found in seen] == [6.0, 7.0, 8.0, 9.0, 10.0]
    assert seen[0].frame_id == "camera"


def test_where_frames_wait_each_step_is_a_tenth_of_a_second(follower) -> None:
    """At 50 Hz: one in five frames, and none further apart."""
    seen: list[FollowedFrame] = []
    for step in range(26):
        follower.push_frame(frame(20 * step))
    follower.follow(goal(duration_s=0.5), seen.append).ended.result(DEADLINE_S)
    assert [found.stamp_ns // MS for found in seen] == [100, 200, 300, 400, 500]


def test_frames_that_come_later_are_waited_for(follower) -> None:
    arrived = threading.Semaphore(0)
    follower.push_frame(frame(0))
    following = follower.follow(goal(duration_s=0.1), lambda _: arrived.release())
    for step in range(1, 6):
        follower.push_frame(frame(20 * step))
        assert arrived.acquire(timeout=DEADLINE_S), "each frame is followed as it comes"
    assert following.ended.result(DEADLINE_S).num_frames == 5


def test_the_newest_goal_wins(follower, tracker) -> None:
    tracker.may_step.clear()
    for step in range(12):
        follower.push_frame(frame(100 * step))
    first, second, third = (follower.follow(goal(100 * number), lambda _: None) for number in range(3))
    assert second.ended.result(DEADLINE_S).reason is FollowReason.SUPERSEDED, "it never began"
    tracker.may_step.set()
    assert first.ended.result(DEADLINE_S).reason is FollowReason.SUPERSEDED
    assert third.ended.result(DEADLINE_S).reason is FollowReason.DONE


def test_it_ends_when_asked_to(follower) -> None:
    follower.push_frame(frame(0))
    following = follower.follow(goal(), lambda _: None)
    follower.end(following, FollowReason.CANCELLED, "as you like")
    outcome = following.ended.result(DEADLINE_S)
    assert (outcome.reason, outcome.detail) == (FollowReason.CANCELLED, "as you like")
    follower.end(following, FollowReason.STOPPED, "too late")
    assert following.ended.result() is outcome


def test_no_more_frames_is_an_end_with_a_reason(tracker) -> None:
    follower = Follower(tracker, silence_s=0.05)
    follower.push_frame(frame(0))
    outcome = follower.follow(goal(), lambda _: None).ended.result(DEADLINE_S)
    assert outcome.reason is FollowReason.FRAMES_STOPPED and "0.05 s" in outcome.detail
    assert follower.stop(DEADLINE_S)


def test_a_frame_of_another_size_is_an_end_with_a_reason(follower) -> None:
    follower.push_frame(frame(0))
    follower.push_frame(frame(100, size_hw=(40, 60)))
    outcome = follower.follow(goal(), lambda _: None).ended.result(DEADLINE_S)
    assert outcome.reason is FollowReason.FRAME_SIZE and "60x40 pixels, the masks 30x20" in outcome.detail


def test_a_broken_frame_is_left_out(follower) -> None:
    seen: list[FollowedFrame] = []
    for step in range(4):
        follower.push_frame(frame(100 * step, broken=step == 1))
    outcome = follower.follow(goal(duration_s=0.3), seen.append).ended.result(DEADLINE_S)
    assert outcome.reason is FollowReason.DONE and [found.stamp_ns // MS for found in seen] == [200, 300]


def test_stamps_that_jump_back_are_an_end_with_a_reason(follower) -> None:
    follower.push_frame(frame(5000))
    following = follower.follow(goal(5000), lambda _: None)
    follower.push_frame(frame(0))
    assert following.ended.result(DEADLINE_S).reason is FollowReason.TIME_JUMP


def test_a_failure_ends_one_goal_and_not_the_next(follower) -> None:
    for step in range(4):
        follower.push_frame(frame(100 * step, corner=77 if step == 1 else 0))
    outcome = follower.follow(goal(duration_s=0.3), lambda _: None).ended.result(DEADLINE_S)
    assert (outcome.reason, outcome.detail) == (FollowReason.ERROR, "RuntimeError: the network broke")
    assert follower.follow(goal(100, duration_s=0.2), lambda _: None).ended.result(DEADLINE_S).num_frames == 2


def test_a_goal_whose_image_is_gone_is_refused(follower) -> None:
    """There is room for a hundred frames."""
    for step in range(150):
        follower.push_frame(frame(10 * step))
    with pytest.raises(CannotFollowError, match="is not in memory: ask sooner") as refused:
        follower.follow(goal(0), lambda _: None)
    assert refused.value.outcome.reason is FollowReason.TOO_OLD
    assert len(follower._frames) == 100


def test_a_goal_without_masks_is_refused() -> None:
    for masks in ((), (np.zeros(SIZE_HW, bool),)):
        with pytest.raises(CannotFollowError, match="nothing to follow") as refused:
            FollowGoal(stamp_ns=0, masks=masks, duration_s=1.0)
        assert refused.value.outcome.reason is FollowReason.NO_MASKS


def test_stopping_ends_what_is_under_way_even_a_step_that_hangs(tracker) -> None:
    follower = Follower(tracker, silence_s=DEADLINE_S)
    tracker.may_step.clear()
    for step in range(3):
        follower.push_frame(frame(100 * step))
    following = follower.follow(goal(), lambda _: None)
    while tracker.num_started == 0:
        pass
    assert not follower.stop(0.05)
    assert following.ended.result(0).reason is FollowReason.STOPPED
    tracker.may_step.set()
