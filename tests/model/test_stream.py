"""The stream: each confirmed onset ends exactly once, with the right frame and window or the right reason."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.frame_ring import StoredFrame
from cs3_model.steps import Fail, Finish, Prepare, Step, Withdraw
from cs3_model.stream import CollisionStream, StreamConfig
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioBlock, Reason

NS = 1_000_000_000
RATE = 48_000


class Clock:
    """A monotonic clock that the test turns."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def impacts(seconds: float, onsets_s: list[float]) -> np.ndarray:
    """Struck metal over faint noise: decaying partials, 30 dB above it."""
    rng = np.random.default_rng(0)
    samples = 1e-3 * rng.standard_normal(round(seconds * RATE))
    times = np.arange(round(0.3 * RATE)) / RATE
    for onset_s in onsets_s:
        hit = sum(np.exp(-times * 40 * k) * np.sin(2 * np.pi * 900 * k * times) for k in (1, 2.7, 5.1, 8.3))
        start = round(onset_s * RATE)
        samples[start : start + times.size] += 0.1 * hit[: samples.size - start]
    return samples.astype(np.float32)


def block_of(samples: np.ndarray, sample_rate_hz: int, stamp_ns: int) -> AudioBlock:
    return AudioBlock(samples=samples, sample_rate_hz=sample_rate_hz, stamp_ns=stamp_ns)


def frame_at(stamp_ns: int) -> StoredFrame:
    return StoredFrame(
        stamp_ns=stamp_ns, frame_id="camera", num_bytes=48, decode_image=lambda: np.zeros((4, 4, 3), np.uint8)
    )


def play(
    stream: CollisionStream, samples: np.ndarray, *, fps: float = 30.0, start_s: float = 0.0, block: int = 960
) -> list[Step]:
    """Pushes audio blocks and frames in the order of their times."""
    steps: list[Step] = []
    next_frame = 0
    for position in range(0, samples.size, block):
        end_s = (position + block) / RATE
        while fps and next_frame / fps <= end_s:
            stamp_ns = round((start_s + next_frame / fps) * NS)
            steps += stream.push_frame(frame_at(stamp_ns))
            next_frame += 1
        stamp_ns = round((start_s + position / RATE) * NS)
        steps += stream.push_audio(block_of(samples[position : position + block], RATE, stamp_ns))
    return steps


def ends(steps: list[Step]) -> list[Step]:
    return [step for step in steps if isinstance(step, (Finish, Fail))]


def test_each_impact_becomes_one_event_with_the_nearest_frame_and_its_window() -> None:
    onsets_s = [1.5, 2.51, 3.0]
    steps = play(CollisionStream(StreamConfig()), impacts(5.0, onsets_s))
    finished = ends(steps)
    assert [type(step) for step in finished] == [Finish] * 3
    for step, onset_s in zip(finished, onsets_s, strict=True):
        assert step.event.onset_ns == pytest.approx(onset_s * NS, abs=0.005 * NS)
        assert step.frame.stamp_ns == round(round(step.event.onset_ns / NS * 30) / 30 * NS)
        assert step.window.samples.size == 2 * MODEL_SAMPLE_RATE_HZ
        assert step.window.start_ns == step.event.onset_ns - NS
        peak_s = np.abs(step.window.samples[14_400:17_600]).argmax() / MODEL_SAMPLE_RATE_HZ + 0.9
        assert peak_s == pytest.approx(1.0, abs=0.02)


def test_vision_can_start_long_before_the_window_is_complete() -> None:
    stream = CollisionStream(StreamConfig())
    samples = impacts(3.0, [1.5])
    prepared_at = finished_at = None
    for position in range(0, samples.size, 480):
        stamp_ns = round(position / RATE * NS)
        steps = stream.push_frame(frame_at(stamp_ns))
        steps += stream.push_audio(block_of(samples[position : position + 480], RATE, stamp_ns))
        for step in steps:
            if isinstance(step, Prepare):
                prepared_at = position / RATE
            if isinstance(step, Finish):
                finished_at = position / RATE
    assert 1.5 <= prepared_at <= 1.55
    assert 2.49 <= finished_at <= 2.52


def test_events_do_not_depend_on_the_size_of_blocks() -> None:
    samples = impacts(4.0, [1.2, 2.0])
    reference = ends(play(CollisionStream(StreamConfig()), samples, block=960))
    for block in (64, 333, 24_000):
        other = ends(play(CollisionStream(StreamConfig()), samples, block=block))
        assert [step.event.onset_ns for step in other] == [step.event.onset_ns for step in reference]
        for mine, theirs in zip(other, reference, strict=True):
            np.testing.assert_array_equal(mine.window.samples, theirs.window.samples)
            assert mine.frame.stamp_ns == theirs.frame.stamp_ns


def test_an_onset_near_the_end_ends_when_the_recording_does() -> None:
    stream = CollisionStream(StreamConfig())
    steps = play(stream, impacts(2.0, [1.8]))
    assert not ends(steps)
    (finish,) = ends(stream.close())
    assert isinstance(finish, Finish) and not finish.window.samples[-10_000:].any()
    assert not stream.close()


def test_without_images_the_event_fails_after_its_patience() -> None:
    clock = Clock()
    stream = CollisionStream(StreamConfig(patience_s=0.5), monotonic=clock)
    assert not ends(play(stream, impacts(4.0, [1.5]), fps=0))
    clock.now_s = 1.4
    assert not stream.expire()
    clock.now_s = 1.6
    (fail,) = stream.expire()
    assert isinstance(fail, Fail) and fail.reason is Reason.NO_FRAME and "image" in fail.detail


def test_images_on_another_clock_are_named() -> None:
    stream = CollisionStream(StreamConfig())
    stream.push_frame(frame_at(100 * NS))
    (fail,) = ends(play(stream, impacts(3.0, [1.5]), fps=0))
    assert fail.reason is Reason.NO_FRAME and "+98.500 s" in fail.detail and "one clock" in fail.detail


def test_audio_that_stops_ends_the_event_with_what_there_is() -> None:
    clock = Clock()
    stream = CollisionStream(StreamConfig(), monotonic=clock)
    assert not ends(play(stream, impacts(2.0, [1.5])))
    clock.now_s = 3.0
    (finish,) = stream.expire()
    assert isinstance(finish, Finish)


@pytest.mark.parametrize(("lost_blocks", "expected"), [(4, Finish), (20, Fail)])
def test_a_small_gap_is_tolerated_and_a_large_one_named(lost_blocks: int, expected: type) -> None:
    """Blocks of 20 ms; 0.1 s may be missing."""
    stream = CollisionStream(StreamConfig())
    samples = impacts(4.0, [1.5])
    steps: list[Step] = []
    for index in range(200):
        stamp_ns = index * NS // 50
        steps += stream.push_frame(frame_at(stamp_ns))
        if not 85 <= index < 85 + lost_blocks:
            steps += stream.push_audio(block_of(samples[index * 960 : (index + 1) * 960], RATE, stamp_ns))
    (end,) = ends(steps)
    assert isinstance(end, expected)
    assert stream.counters["audio_gap"] == 1 and stream.counters["audio_missing_ms"] == 20 * lost_blocks
    if isinstance(end, Fail):
        assert end.reason is Reason.AUDIO_GAP and "0.400 s" in end.detail


def test_a_jump_of_the_audio_clock_ends_waiting_events() -> None:
    stream = CollisionStream(StreamConfig())
    play(stream, impacts(2.0, [1.5]), start_s=100.0)
    (fail,) = ends(stream.push_audio(block_of(impacts(0.02, []), RATE, 0)))
    assert fail.reason is Reason.TIME_JUMP


def test_detection_goes_on_after_a_change_of_rate() -> None:
    stream = CollisionStream(StreamConfig())
    first = ends(play(stream, impacts(3.0, [1.5])))
    second: list[Step] = []
    for index, block in enumerate(np.array_split(impacts(3.0, [1.5])[::3], 150)):
        stamp_ns = 3 * NS + index * NS // 50
        second += stream.push_frame(frame_at(stamp_ns))
        second += stream.push_audio(block_of(block, 16_000, stamp_ns))
    assert len(first) == 1 and stream.counters["audio_rate_change"] == 1
    (end,) = ends(second)
    assert end.event.onset_ns == pytest.approx(4.5 * NS, abs=0.005 * NS)
    assert end.event.event_id != first[0].event.event_id


def test_clearing_ends_every_confirmed_event_once() -> None:
    stream = CollisionStream(StreamConfig())
    play(stream, impacts(2.0, [1.5]))
    (fail,) = ends(stream.clear(Reason.STOPPED, "switched off"))
    assert fail.reason is Reason.STOPPED
    assert not stream.clear(Reason.STOPPED, "switched off") and not stream.close()


def test_every_confirmed_onset_ends_once_whatever_happens() -> None:
    """Lost, late, repeated and jumping blocks and frames at random: confirmations and ends balance."""
    rng = np.random.default_rng(1)
    samples = impacts(30.0, [0.8 + 0.7 * index for index in range(40)])
    stream = CollisionStream(StreamConfig(audio_post_s=0.3))
    steps: list[Step] = []
    offset_ns = 0
    for index in range(samples.size // 960):
        if rng.random() < 0.005:
            offset_ns = round(rng.uniform(-3, 3) * NS)
        stamp_ns = index * NS // 50 + offset_ns + 10 * NS
        if rng.random() > 0.2:
            steps += stream.push_frame(frame_at(stamp_ns))
        for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 1, 1, 2])):
            steps += stream.push_audio(block_of(samples[index * 960 : (index + 1) * 960], RATE, stamp_ns))
    steps += stream.close()
    end_ids = [step.event.event_id for step in ends(steps)]
    withdrawn = [step for step in steps if isinstance(step, Withdraw)]
    assert len(end_ids) == len(set(end_ids)) == stream.counters["onsets_confirmed"] > 10
    assert len(end_ids) + len(withdrawn) == stream.counters["onsets_provisional"]


@pytest.mark.parametrize(
    "field", [{"audio_pre_s": -1.0}, {"patience_s": 61.0}, {"audio_pre_s": 0.0, "audio_post_s": 0.1}]
)
def test_bad_configurations_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        StreamConfig(**field)


def test_a_rate_that_the_detector_cannot_hear_is_refused_and_changes_nothing() -> None:
    stream = CollisionStream(StreamConfig())
    for _ in range(2):
        with pytest.raises(ValueError, match="sample_rate_hz must be in"):
            stream.push_audio(block_of(np.zeros(80), 4_000, NS))
    assert [type(step) for step in ends(play(stream, impacts(4.0, [1.5])))] == [Finish]


def test_an_undecided_onset_outlives_a_pause_of_the_audio_and_still_ends_once() -> None:
    clock = Clock()
    stream = CollisionStream(StreamConfig(), monotonic=clock)
    samples = impacts(4.0, [1.5])
    cut = round(1.52 * RATE) // 960 * 960
    steps = play(stream, samples[:cut])
    assert any(isinstance(step, Prepare) for step in steps)
    clock.now_s = 10.0
    steps = stream.expire() + play(stream, samples[cut:], start_s=cut / RATE)
    assert [type(step) for step in ends(steps)] == [Finish]
    assert stream.counters["onsets_confirmed"] == 1


def test_swapped_pairs_of_blocks_cost_no_sound() -> None:
    stream = CollisionStream(StreamConfig())
    blocks = [
        AudioBlock(samples=np.zeros((320, 1), np.float32), sample_rate_hz=16_000, stamp_ns=10**9 + number * 20_000_000)
        for number in range(500)
    ]
    for number in range(0, 500, 2):
        stream.push_audio(blocks[number + 1])
        stream.push_audio(blocks[number])
    stream.close()
    assert stream.counters["audio_blocks"] == 500 and stream.counters["audio_reordered"] >= 240
    assert stream.counters["audio_duplicate"] <= 2 and stream.counters["audio_missing_ms"] <= 40


def test_the_next_nearest_frame_is_the_spare_where_it_is_wanted_and_near() -> None:
    """Frames come every 100 ms, the onset is at 1.52 s: the nearest is that of 1.5 s, the next that of 1.6 s."""
    sound = impacts(3.0, [1.52])
    for wanted, offset_s, expected in ((True, 0.1, [round(1.6 * NS)]), (True, 0.05, [None]), (False, 0.1, [None])):
        stream = CollisionStream(StreamConfig(replace_bad_frame=wanted, max_frame_offset_s=offset_s))
        (step,) = ends(play(stream, sound, fps=10.0))
        assert step.frame.stamp_ns == round(1.5 * NS)
        assert [step.spare.stamp_ns if step.spare else None] == expected
