from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from cs3_model.networks.hands23.config import Hands23Thresholds
from cs3_model.networks.hands23.detector import (
    DEBUG_INPUT_SIZE,
    Hands23Detector,
    build_debug_hand_detector,
)
from cs3_model.networks.hands23.preprocessing import preprocess
from cs3_model.types import UInt8Image

DETECTOR = build_debug_hand_detector(seed=0)


def noise(height: int, width: int) -> UInt8Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_debug_detector_finds_held_objects_and_says_that_it_is_untrained() -> None:
    held = DETECTOR.detect(noise(480, 640))
    assert held.left is not None and held.right is not None
    assert not DETECTOR.trained
    assert "debug" in DETECTOR.name


def test_the_same_seed_gives_the_same_detections_and_another_seed_others() -> None:
    image = noise(120, 160)
    detections = DETECTOR.detect_hands(image)
    assert detections.hands
    assert build_debug_hand_detector(seed=0).detect_hands(image) == detections
    assert build_debug_hand_detector(seed=1).detect_hands(image) != detections


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 700), width=st.integers(1, 700))
def test_boxes_lie_within_images_of_any_size(height: int, width: int) -> None:
    for hand in DETECTOR.detect_hands(noise(height, width)).hands:
        for box in (hand, hand.first_object, hand.second_object):
            if box is not None:
                x_min, y_min, x_max, y_max = box.box_xyxy
                assert 0 <= x_min <= x_max <= width and 0 <= y_min <= y_max <= height


def test_nothing_is_found_above_every_score() -> None:
    thresholds = Hands23Thresholds(hand=1.0, first_object=1.0, second_object=1.0)
    detector = Hands23Detector(
        DETECTOR.network, name="strict", trained=False, thresholds=thresholds, input_size=DEBUG_INPUT_SIZE
    )
    assert detector.detect_hands(noise(60, 80)).hands == ()
    assert detector.detect(noise(60, 80)).left is None


def test_weights_in_bfloat16_find_nearly_the_same_boxes() -> None:
    image = noise(120, 160)
    pixels, size_hw = preprocess(image, DEBUG_INPUT_SIZE, device=torch.device("cpu"), dtype=torch.bfloat16)
    network = build_debug_hand_detector(seed=0).network.to(torch.bfloat16)
    raw = network(pixels, size_hw, (0.1, 0.1, 0.1))
    expected = DETECTOR.network(pixels.float(), size_hw, (0.1, 0.1, 0.1))
    assert raw.boxes.dtype == raw.contact.dtype == torch.float32
    assert box_iou(raw.boxes[:10], expected.boxes).amax(dim=1).median() > 0.95


@pytest.mark.gpu
def test_a_gpu_finds_the_same_hands() -> None:
    image = noise(120, 160)
    ours = build_debug_hand_detector(seed=0, device="cuda").detect_hands(image).hands[0]
    assert ours.box_xyxy == pytest.approx(DETECTOR.detect_hands(image).hands[0].box_xyxy, abs=0.05)
