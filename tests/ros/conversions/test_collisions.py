from __future__ import annotations

import numpy as np
import pytest
from cs3_msgs.msg import Collision, CollisionMask

from cs3_model.steps import Event
from cs3_model.types import MIN_WINDOW_SAMPLES, Candidate, CollisionResult, Reason, Role, Verdict
from cs3_ros.conversions.audio import AudioFormat, audio_chunk_msg
from cs3_ros.conversions.collisions import (
    ResultContext,
    audio_chunk_to_window,
    collision_from_msg,
    collision_to_msg,
)

pytestmark = pytest.mark.ros


def candidate(role: Role, rows: slice, columns: slice, contact_xy: tuple[float, float] | None = None) -> Candidate:
    mask = np.zeros((6, 8), bool)
    mask[rows, columns] = True
    box_xyxy = (columns.start, rows.start, columns.stop, rows.stop)
    return Candidate(role=role, mask=mask, box_xyxy=box_xyxy, score=0.75, reason="near", contact_xy=contact_xy)


RESULT = CollisionResult(
    verdict=Verdict.TWO_OBJECTS,
    reason="closest_pair",
    detail="the knife and the board are 1 px apart",
    confidence=0.75,
    masks=(
        candidate(Role.AUDIO_VISUAL | Role.RIGHT_HAND, slice(0, 2), slice(1, 4), (3.0, 1.0)),
        candidate(Role.LEFT_HAND, slice(3, 6), slice(2, 8), (3.0, 3.0)),
    ),
    rejected=(candidate(Role.AUDIO_VISUAL, slice(5, 6), slice(0, 1)),),
    heatmap=np.zeros((2, 2), np.float32),
    stage_s={"hands": 0.002, "masks": 0.0035},
)


def to_msg(mask_format: str = "mono8") -> Collision:
    context = ResultContext(
        event=Event(event_id=0, onset_ns=3_000_000_007, strength_db=12.5),
        frame_ns=2_000_000_001,
        frame_id="camera",
        preset="micro",
        models=("clip-tiny", "hands-tiny"),
        trained=True,
        mask_format=mask_format,
    )
    return collision_to_msg(RESULT, context)


def test_every_field_of_a_result_is_in_the_message():
    msg = to_msg()

    assert (msg.header.frame_id, msg.header.stamp.sec, msg.header.stamp.nanosec) == ("camera", 2, 1)
    assert (msg.onset.sec, msg.onset.nanosec) == (3, 7)
    assert (msg.onset_strength, msg.latency_ms) == (12.5, 0.0)
    assert msg.verdict == Collision.VERDICT_TWO_OBJECTS
    assert (msg.reason, msg.detail) == ("closest_pair", "the knife and the board are 1 px apart")
    assert msg.confidence == 0.75
    assert (msg.preset, msg.models, msg.trained) == ("micro", ["clip-tiny", "hands-tiny"], True)
    assert msg.stage_names == ["hands", "masks"]
    assert list(msg.stage_ms) == [2.0, 3.5]
    assert (len(msg.masks), len(msg.rejected)) == (2, 1)
    first, alone = msg.masks[0], msg.rejected[0]
    assert first.role == CollisionMask.ROLE_AUDIO_VISUAL | CollisionMask.ROLE_RIGHT_HAND
    assert (first.score, first.reason, list(first.box)) == (0.75, "near", [1, 0, 4, 2])
    assert (first.has_contact_point, list(first.contact_point)) == (True, [3, 1])
    assert (alone.has_contact_point, list(alone.contact_point)) == (False, [0, 0])
    assert first.mask.header.frame_id == "camera"


@pytest.mark.parametrize(("role", "constant"), [
    (Role.AUDIO_VISUAL, CollisionMask.ROLE_AUDIO_VISUAL),
    (Role.LEFT_HAND, CollisionMask.ROLE_LEFT_HAND),
    (Role.RIGHT_HAND, CollisionMask.ROLE_RIGHT_HAND),
])  # fmt: skip
def test_roles_have_the_numbers_of_the_message(role, constant):
    assert role.value == constant


@pytest.mark.parametrize(("verdict", "constant"), [
    (Verdict.NONE, Collision.VERDICT_NONE),
    (Verdict.ONE_OBJECT, Collision.VERDICT_ONE_OBJECT),
    (Verdict.TWO_OBJECTS, Collision.VERDICT_TWO_OBJECTS),
])  # fmt: skip
def test_verdicts_have_the_numbers_of_the_message(verdict, constant):
    assert verdict == constant


@pytest.mark.parametrize("mask_format", ["mono8", "png"])
def test_results_survive_the_way_into_a_message_and_back(mask_format):
    msg = to_msg(mask_format)
    result = collision_from_msg(msg)

    for mask in msg.masks:
        assert bool(len(mask.mask.data)) == (mask_format == "mono8")
        assert bool(len(mask.mask_compressed.data)) == (mask_format == "png")
    assert (result.verdict, result.reason, result.detail) == (RESULT.verdict, RESULT.reason, RESULT.detail)
    assert result.stage_s == pytest.approx(RESULT.stage_s)
    for got, sent in zip((*result.masks, *result.rejected), (*RESULT.masks, *RESULT.rejected), strict=True):
        assert (got.mask == sent.mask).all()
        assert (got.role, got.box_xyxy, got.score) == (sent.role, sent.box_xyxy, sent.score)
        assert (got.reason, got.contact_xy) == (sent.reason, sent.contact_xy)


def test_a_verdict_without_masks_survives_too():
    empty = CollisionResult(verdict=Verdict.NONE, reason=Reason.NO_FRAME, detail="no image within 100 ms")
    event = Event(event_id=0, onset_ns=1, strength_db=0.0)
    msg = collision_to_msg(empty, ResultContext(event=event, preset="", models=(), trained=False, mask_format="mono8"))
    assert msg.header.stamp == msg.onset

    result = collision_from_msg(msg)

    assert (result.verdict, result.reason, result.masks, result.rejected) == (Verdict.NONE, Reason.NO_FRAME, (), ())


def test_a_chunk_becomes_a_mono_window_at_the_model_rate():
    """A 1 kHz tone, left louder than right: the window holds their mean, a tone of amplitude 0.4, at 16 kHz."""
    times_s = np.arange(48000) / 48000
    tone = np.sin(2 * np.pi * 1000 * times_s)
    stereo = np.stack((0.6 * tone, 0.2 * tone), axis=1).astype("<f4")
    chunk = audio_chunk_msg(
        stereo.tobytes(),
        audio_format=AudioFormat(sample_rate_hz=48000, channels=2, encoding="F32LE"),
        stamp_ns=4_000_000_005,
    )

    window = audio_chunk_to_window(chunk)

    assert window.start_ns == 4_000_000_005
    assert window.samples.shape == (16000,)
    expected = 0.4 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert np.abs(window.samples - expected)[500:-500].max() < 1e-3


def test_a_chunk_that_is_too_short_for_a_model_is_refused():
    chunk = audio_chunk_msg(
        bytes(200), audio_format=AudioFormat(sample_rate_hz=16000, channels=1, encoding="S16LE"), stamp_ns=1
    )

    with pytest.raises(ValueError, match=f"at least {MIN_WINDOW_SAMPLES} samples.*got 100"):
        audio_chunk_to_window(chunk)
