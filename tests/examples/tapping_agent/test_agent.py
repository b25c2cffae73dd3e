"""What the agent makes of a collision, and how it chooses."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_model.types import Verdict
from cs3_ros.client import CollidingObject, Collision
from examples.tapping_agent.agent import Evidence, Sample, _following, most_like, shares_of

SAMPLES = (
    Sample(material="metal", box_xyxy=(0.0, 0.0, 10.0, 10.0)),
    Sample(material="wood", box_xyxy=(20.0, 0.0, 30.0, 10.0)),
)


def found(columns: slice, score: float, *roles: str) -> CollidingObject:
    """An object in rows 2 to 5 of some columns of a picture of 40 x 20 pixels."""
    mask = np.zeros((20, 40), np.bool_)
    mask[2:6, columns] = True
    box = (float(columns.start), 2.0, float(columns.stop), 6.0)
    return CollidingObject(
        roles=roles, mask=mask, box_xyxy=box, score=score, reason="", contact_xy=None, image_crop=None
    )


def collision(
    objects: tuple[CollidingObject, ...], rejected: tuple[CollidingObject, ...] = (), onset_ns: int = 0
) -> Collision:
    return Collision(
        onset_ns=onset_ns, onset_strength_db=20.0, stamp_ns=0, frame_id="camera", verdict=Verdict.ONE_OBJECT, reason="",
        detail="", confidence=None, objects=objects, rejected=rejected, image=None, stage_s={}, latency_s=0.1, preset="micro",
        models=(), trained=True,
    )  # fmt: skip


def test_heard_objects_count_for_the_sample_they_lie_on_rejected_ones_too():
    heard = collision((found(slice(1, 9), 0.7, "heard"),), (found(slice(21, 24), 0.2, "heard"),))
    assert shares_of(heard, SAMPLES).tolist() == pytest.approx([0.7, 0.2])


def test_an_object_that_lies_mostly_beside_a_sample_counts_for_none():
    # 3 of 8 columns lie on the metal sample
    assert shares_of(collision((found(slice(7, 15), 0.9, "heard"),)), SAMPLES).tolist() == [0.0, 0.0]


def test_what_a_hand_holds_counts_only_where_the_sound_points_at_it_too():
    held = found(slice(1, 9), 0.9, "held right")
    both = found(slice(21, 29), 0.6, "held left", "heard")
    assert shares_of(collision((held, both)), SAMPLES).tolist() == pytest.approx([0.0, 0.6])


def test_the_choice_is_the_greatest_share_and_any_of_equal_ones():
    rng = np.random.default_rng(0)
    assert most_like(np.array([0.1, 0.4, 0.3]), rng) == 1
    assert {most_like(np.array([0.0, 0.2, 0.2]), rng) for _ in range(50)} == {1, 2}


def test_a_full_jar_is_what_sounds_least_like_metal_and_a_loose_lid_what_is_heard_most_often():
    """The fourth was never answered, which speaks for nothing."""
    evidence = Evidence(
        shares=np.array([[0.2, 0.9], [0.7, 0.6], [0.5, 0.0], [0.0, 0.0]]),
        answered=np.array([1.0, 1.0, 0.5, 0.0]),
        num_sounds=np.array([1.0, 1.0, 2.5, 0.0]),
    )
    chosen = {kind: int(np.argmax(evidence.speaks_for(kind, ["wood", "metal"]))) for kind in ("full", "loose", "wood")}
    assert chosen == {"full": 2, "loose": 2, "wood": 1}


def test_what_follows_a_touch_within_eight_tenths_of_a_second_is_of_that_tap_in_the_order_of_its_onsets():
    """The touch is felt at 10 s; answers come in any order."""
    onsets_s = (10.12, 10.0, 9.8, 10.79, 10.81)
    answers = [collision((), onset_ns=round(onset_s * 1e9)) for onset_s in onsets_s]
    heard = _following(10_000_000_000, answers)
    assert [found.onset_s for found in heard] == [10.0, 10.12, 10.79]
    assert _following(None, answers) == ()
