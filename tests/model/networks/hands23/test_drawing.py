from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cs3_model.networks.hands23.demo_json import read_demo_json
from cs3_model.networks.hands23.detections import HandDetections, HandSide
from cs3_model.networks.hands23.drawing import (
    FIRST_OBJECT_COLOUR,
    HAND_COLOURS,
    SECOND_OBJECT_COLOUR,
    draw_detections,
)


def test_hands_and_objects_are_outlined_in_their_colours(shared_data: Callable[[str], Path]) -> None:
    (detections,) = read_demo_json(shared_data("hands23_example/result.json")).values()
    image = np.zeros((1080, 1920, 3), np.uint8)
    drawing = draw_detections(image, detections)
    assert not image.any()
    left, right = detections.hands
    outlines = {
        HAND_COLOURS[HandSide.LEFT]: left.box_xyxy,
        HAND_COLOURS[HandSide.RIGHT]: right.box_xyxy,
        FIRST_OBJECT_COLOUR: right.first_object.box_xyxy,
        SECOND_OBJECT_COLOUR: right.second_object.box_xyxy,
    }
    for colour, (_, y_min, x_max, y_max) in outlines.items():
        assert tuple(drawing[round(y_min + 0.75 * (y_max - y_min)), round(x_max)]) == colour


def test_an_image_without_hands_is_left_as_it_is() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert (draw_detections(image, HandDetections()) == image).all()
