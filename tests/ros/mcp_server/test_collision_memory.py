"""What a server remembers of collisions: bounded, numbered, in words."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

import cv2

from cs3_model.types import Verdict
from cs3_ros.client import CollidingObject, Collision
from cs3_ros.mcp_server.collision_memory import CollisionMemory
from cs3_ros.mcp_server.facts import age_in_words, place_in_words
from cs3_ros.mcp_server.jpeg_pictures import MAX_PICTURE_BYTES, MAX_SIDE_PX, bounded_jpeg, collision_pictures

pytestmark = pytest.mark.ros


def heard_object(box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int], image=None) -> CollidingObject:
    x_min, y_min, x_max, y_max = box_xyxy
    mask = np.zeros(size_hw, bool)
    mask[y_min:y_max, x_min:x_max] = True
    return CollidingObject(
        roles=("heard",),
        mask=mask,
        box_xyxy=tuple(map(float, box_xyxy)),
        score=0.5,
        reason="it was heard",
        contact_xy=None,
        image_crop=None if image is None else image[y_min:y_max, x_min:x_max],
    )


def a_collision(image=None) -> Collision:
    size_hw = (90, 120) if image is None else image.shape[:2]
    return Collision(
        onset_ns=5 * 10**9,
        onset_strength_db=20.0,
        stamp_ns=5 * 10**9,
        frame_id="camera",
        verdict=Verdict.ONE_OBJECT,
        reason="single_mask",
        detail="only one mask",
        confidence=0.754,
        objects=(heard_object((10, 20, 30, 50), size_hw, image),),
        rejected=(),
        image=image,
        stage_s={},
        latency_s=0.1,
        preset="debug",
        models=(),
        trained=True,
    )


def test_the_oldest_are_forgotten_and_numbers_are_never_used_again():
    memory = CollisionMemory(capacity=2)
    for _ in range(10_000):
        memory.add(a_collision(), ())
    assert [kept.number for kept in memory.newest(5)] == [9_999, 10_000]
    assert memory.after(0).number == 9_999, "what was lost is skipped"
    assert memory.after(10_000) is None
    with pytest.raises(ValueError, match="collision 1 is too old: remembered are 9999 to 10000; see last_collisions"):
        memory.get(1)
    with pytest.raises(ValueError, match="collision 10001 does not exist: remembered are 9999 to 10000"):
        memory.get(10_001)


def test_facts_are_words_and_numbers():
    facts = CollisionMemory().add(a_collision(), ()).facts()
    assert facts.words == (
        "Collision 1, 0 seconds ago. At 5.000 s one object made a collision sound: "
        "the object heard (box 10,20 to 30,50, score 0.50); this is right with a probability of 0.75."
    )
    assert (facts.onset_s, facts.reason, facts.confidence, facts.has_picture) == (5.0, "single_mask", 0.75, False)
    assert facts.objects[0].area_px == 20 * 30


@pytest.mark.parametrize(
    ("age_s", "words"),
    [
        (0.2, "0 seconds ago"),
        (1.2, "1 second ago"),
        (89, "89 seconds ago"),
        (120, "2 minutes ago"),
        (7200, "2 hours ago"),
    ],
)
def test_ages_are_told_in_words(age_s, words):
    assert age_in_words(age_s) == words


@pytest.mark.parametrize(
    ("box_xyxy", "words"),
    [
        ((0, 0, 20, 20), "upper left of the picture"),
        ((50, 40, 70, 50), "middle of the picture"),
        ((100, 40, 120, 50), "right of the picture"),
        ((50, 80, 70, 90), "bottom of the picture"),
    ],
)
def test_places_are_told_in_words(box_xyxy, words):
    assert place_in_words(heard_object(box_xyxy, (90, 120))) == words


def test_pictures_are_within_their_limits_even_of_noise():
    noise = np.random.default_rng(0).integers(0, 256, (2160, 3840, 3), np.uint8)
    data = bounded_jpeg(noise)
    assert len(data) <= MAX_PICTURE_BYTES
    assert max(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape) <= MAX_SIDE_PX


def test_a_crop_shows_the_object_and_darkens_what_is_beside_it():
    image = np.full((90, 120, 3), 200, np.uint8)
    collision = a_collision(image)
    found = collision.objects[0]
    found.mask[20:50, 20:30] = False  # the right half of the box
    _, crop = collision_pictures(collision)
    pixels = cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels.shape[0] == 160, "small crops are enlarged"
    assert abs(int(pixels[80, 20]) - 200) < 10 and abs(int(pixels[80, -20]) - 50) < 10


def test_without_an_image_there_are_no_pictures():
    assert collision_pictures(a_collision()) == ()
