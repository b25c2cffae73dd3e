"""The frames around the onset that tell what moved: which they are, and how long an event waits for the later one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cs3_model import stream as stream_module
from cs3_model.onset import OnsetDetector, OnsetEvent, OnsetState
from cs3_model.steps import Finish, Prepare, Step
from cs3_model.stream import CollisionStream, StreamConfig
from tests.model.test_stream import NS, RATE, block_of, ends, frame_at, impacts, play

SHORT = StreamConfig(audio_pre_s=0.3, audio_post_s=0.05, motion_s=0.09, motion_wait_s=0.1)
ONSET_S = 1.5


def play_until(stream: CollisionStream, last_frame_s: float, *, delay_s: float = 0.0) -> tuple[list[Step], float]:
    """Pushes 20 ms of sound at a time, and 30 frames a second up to a time, late by `delay_s`.

    Returns:
        All steps, and the time of the sound at which the event ended.
    """
    samples, steps, ended_s, frame = impacts(3.0, [ONSET_S]), [], 0.0, 0
    for position in range(0, samples.size, 960):
        now_s = (position + 960) / RATE
        steps += stream.push_audio(block_of(samples[position : position + 960], RATE, round(position / RATE * NS)))
        while frame / 30 + delay_s <= now_s and frame / 30 <= last_frame_s:
            steps += stream.push_frame(frame_at(round(frame / 30 * NS)))
            frame += 1
        if ends(steps) and not ended_s:
            ended_s = now_s
    return steps, ended_s


def test_the_frames_are_those_nearest_to_a_span_before_and_after_that_of_the_onset() -> None:
    """At 30 frames a second and a span of 90 ms: three frames, 100 ms, to each side of the one at 1.5 s."""
    steps, _ = play_until(CollisionStream(SHORT), 3.0)
    (finish,) = ends(steps)
    assert isinstance(finish, Finish) and finish.before is not None and finish.after is not None
    assert finish.frame.stamp_ns == pytest.approx(1.5 * NS, abs=1)
    assert finish.before.stamp_ns == pytest.approx(1.4 * NS, abs=1)
    assert finish.after.stamp_ns == pytest.approx(1.6 * NS, abs=1)
    (prepare,) = (step for step in steps if isinstance(step, Prepare))
    assert prepare.before is finish.before


def test_an_event_ends_as_soon_as_sound_and_the_later_frame_are_there() -> None:
    _, ended_s = play_until(CollisionStream(SHORT), 3.0)
    assert 1.59 <= ended_s <= 1.63


def test_an_event_waits_for_a_late_frame_no_longer_than_told() -> None:
    """The frame at 1.6 s never comes: due at 1.59 s, the event gives it up 0.1 s later and ends without it."""
    steps, ended_s = play_until(CollisionStream(SHORT), 1.52)
    (finish,) = ends(steps)
    assert isinstance(finish, Finish) and finish.after is None
    assert finish.before is not None
    assert 1.69 <= ended_s <= 1.72


def test_frames_that_are_late_within_the_wait_are_used() -> None:
    steps, _ = play_until(CollisionStream(SHORT), 3.0, delay_s=0.05)
    (finish,) = ends(steps)
    assert isinstance(finish, Finish) and finish.after is not None


def test_a_slow_camera_leaves_motion_unknown() -> None:
    """Two frames a second: the next ones are 0.5 s away, and tell nothing about the moment."""
    (finish,) = ends(play(CollisionStream(SHORT), impacts(3.0, [1.5]), fps=2.0))
    assert isinstance(finish, Finish) and finish.before is None and finish.after is None


def test_without_motion_no_event_waits_and_no_other_frame_is_handed_on() -> None:
    config = StreamConfig(audio_pre_s=0.3, audio_post_s=0.05)
    steps, ended_s = play_until(CollisionStream(config), 3.0)
    (finish,) = ends(steps)
    assert isinstance(finish, Finish) and finish.before is None and finish.after is None
    assert ended_s <= 1.58


def test_the_doubt_of_a_confirmed_onset_travels_with_its_event(monkeypatch) -> None:
    class Doubting(OnsetDetector):
        def push(self, samples) -> list[OnsetEvent]:
            found = super().push(samples)
            return [replace(item, doubt=0.25) if item.state is OnsetState.CONFIRMED else item for item in found]

    monkeypatch.setattr(stream_module, "OnsetDetector", Doubting)
    steps, _ = play_until(CollisionStream(SHORT), 3.0)
    assert [step.event.doubt for step in ends(steps)] == [0.25]
    assert [step.event.doubt for step in steps if isinstance(step, Prepare)] == [0.0]
