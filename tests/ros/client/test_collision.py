"""A message becomes arrays and one honest sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_model.steps import Event
from cs3_model.types import Candidate, CollisionResult, Reason, Role, Verdict, no_collision
from cs3_ros.client.collision import collision_of
from cs3_ros.conversions.collisions import ResultContext, collision_to_msg

ONSET_NS, STAMP_NS = 5_123_456_789, 5_100_000_000


def candidate(role: Role, x_min: int, contact_xy: tuple[float, float] | None = None) -> Candidate:
    """A square of ten pixels at y = 5."""
    mask = np.zeros((20, 40), bool)
    mask[5:15, x_min : x_min + 10] = True
    box = (float(x_min), 5.0, float(x_min + 10), 15.0)
    return Candidate(role=role, mask=mask, box_xyxy=box, score=0.5, reason="near", contact_xy=contact_xy)


TWO = CollisionResult(
    verdict=Verdict.TWO_OBJECTS,
    reason=Reason.CLOSEST_PAIR,
    detail="1 pixel apart",
    masks=(candidate(Role.LEFT_HAND, 0, (9.0, 10.0)), candidate(Role.RIGHT_HAND | Role.AUDIO_VISUAL, 10, (11.0, 10.0))),
    rejected=(candidate(Role.AUDIO_VISUAL, 30),),
    stage_s={"boxes": 0.25},
)


def message_of(result: CollisionResult, *, trained: bool = True, mask_format: str = "mono8"):
    context = ResultContext(
        event=Event(event_id=0, onset_ns=ONSET_NS, strength_db=20.0),
        frame_ns=STAMP_NS,
        frame_id="camera",
        preset="micro",
        models=("a", "b"),
        trained=trained,
        mask_format=mask_format,
    )
    message = collision_to_msg(result, context)
    message.latency_ms = 125.0
    return message


@pytest.mark.parametrize("mask_format", ["mono8", "png"])
def test_a_message_becomes_masks_boxes_roles_and_times(mask_format) -> None:
    collision = collision_of(message_of(TWO, mask_format=mask_format))
    assert (collision.onset_ns, collision.stamp_ns, collision.frame_id) == (ONSET_NS, STAMP_NS, "camera")
    assert collision.onset_s == pytest.approx(5.123456789, abs=1e-9)
    assert collision.verdict is Verdict.TWO_OBJECTS and collision.reason == "closest_pair"
    assert [found.roles for found in collision.objects] == [("held left",), ("held right", "heard")]
    assert collision.objects[1].box_xyxy == (10.0, 5.0, 20.0, 15.0)
    np.testing.assert_array_equal(collision.objects[1].mask, TWO.masks[1].mask)
    assert collision.objects[1].contact_xy == (11.0, 10.0) and collision.rejected[0].contact_xy is None
    assert (collision.latency_s, collision.stage_s) == (0.125, {"boxes": 0.25})
    assert (collision.preset, collision.models, collision.trained) == ("micro", ("a", "b"), True)


def test_crops_are_the_pixels_inside_the_box() -> None:
    image = np.arange(20 * 40 * 3, dtype=np.uint8).reshape(20, 40, 3)
    found = collision_of(message_of(TWO), image).objects[1]
    np.testing.assert_array_equal(found.image_crop, image[5:15, 10:20])
    assert found.mask_crop.shape == (10, 10) and found.mask_crop.all()
    assert collision_of(message_of(TWO)).objects[1].image_crop is None


def test_what_listeners_share_cannot_be_written() -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    found = collision_of(message_of(TWO), image).objects[0]
    for array in (found.mask, found.mask_crop, found.image_crop):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    image[0, 0] = 1  # the caller's own stays as it was


def test_an_object_is_found_by_its_role() -> None:
    collision = collision_of(message_of(TWO))
    assert collision.with_role("heard") is collision.objects[1]
    assert collision_of(message_of(replace(TWO, masks=TWO.masks[:1]))).with_role("heard") is None
    with pytest.raises(ValueError, match="held left, held right, heard"):
        collision.with_role("left")


def test_two_objects_are_described_with_the_point_between_them() -> None:
    assert collision_of(message_of(TWO)).describe() == (
        "At 5.123 s two objects collided: the object held left (box 0,5 to 10,15, score 0.50) and "
        "the object held right, heard (box 10,5 to 20,15, score 0.50), nearest to each other at 10,10."
    )


def test_one_object_and_none_are_described() -> None:
    one = CollisionResult(
        verdict=Verdict.ONE_OBJECT, reason=Reason.SINGLE_MASK, detail="", masks=(candidate(Role.AUDIO_VISUAL, 3),)
    )
    assert collision_of(message_of(one)).describe() == (
        "At 5.123 s one object made a collision sound: the object heard (box 3,5 to 13,15, score 0.50)."
    )
    none = no_collision(Reason.NO_FRAME, "no image near the onset")
    assert collision_of(message_of(none)).describe() == (
        "At 5.123 s a collision was heard but no object was segmented (no_frame: no image near the onset)."
    )


def test_how_sure_an_answer_is_travels_and_is_said_where_the_preset_can_say() -> None:
    sure = collision_of(message_of(replace(TWO, confidence=0.75)))
    assert sure.confidence == 0.75
    assert sure.describe().endswith("10,10; this is right with a probability of 0.75.")
    assert collision_of(message_of(TWO)).confidence is None


def test_the_sentence_says_when_masks_mean_nothing() -> None:
    assert "not trained, so masks and boxes mean nothing" in collision_of(message_of(TWO, trained=False)).describe()


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(10, 10\), its mask \(20, 40\)"):
        collision_of(message_of(TWO), np.zeros((10, 10, 3), np.uint8))
