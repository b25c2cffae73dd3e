"""A picture of what Hands23 found."""

from __future__ import annotations

import cv2

from cs3_model.networks.hands23.detections import HandDetections, HandSide
from cs3_model.types import BoxXYXY, UInt8Image

RGB = tuple[int, int, int]
HAND_COLOURS: dict[HandSide, RGB] = {HandSide.LEFT: (0, 90, 181), HandSide.RIGHT: (220, 50, 32)}
FIRST_OBJECT_COLOUR: RGB = (255, 194, 10)
SECOND_OBJECT_COLOUR: RGB = (0, 159, 115)


def draw_detections(image: UInt8Image, detections: HandDetections) -> UInt8Image:
    """Draws hands, first and second objects as boxes, and joins the centres of what touches.

    Args:
        image: RGB, uint8 [H, W, 3]; not changed.
        detections: in its pixels.

    Returns:
        A copy with the drawing.
    """
    canvas = image.copy()
    for hand in detections.hands:
        colour, side = HAND_COLOURS[hand.side], hand.side.name.lower()
        _draw_box(canvas, hand.box_xyxy, f"{side} hand {hand.score:.2f}, {hand.grasp.label}", colour, label_below=True)
        if hand.first_object:
            first = hand.first_object
            _draw_line(canvas, hand.box_xyxy, first.box_xyxy, colour)
            _draw_box(canvas, first.box_xyxy, f"{side}: {_words(first.touch.name)}", FIRST_OBJECT_COLOUR)
        if hand.first_object and hand.second_object:
            second = hand.second_object
            _draw_line(canvas, hand.first_object.box_xyxy, second.box_xyxy, FIRST_OBJECT_COLOUR)
            _draw_box(canvas, second.box_xyxy, f"{side}: second object", SECOND_OBJECT_COLOUR)
    return canvas


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _draw_box(canvas: UInt8Image, box_xyxy: BoxXYXY, text: str, colour: RGB, *, label_below: bool = False) -> None:
    x_min, y_min, x_max, y_max = (round(value) for value in box_xyxy)
    unit = _unit(canvas)
    cv2.rectangle(canvas, (x_min, y_min), (x_max, y_max), colour, 2 * unit)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * unit, unit)
    x = max(0, min(x_min, canvas.shape[1] - width))
    y = y_max - 4 * unit if label_below else max(height + 2 * unit, y_min - 2 * unit)
    cv2.rectangle(canvas, (x, y - height - 2 * unit), (x + width, y + 2 * unit), colour, cv2.FILLED)
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4 * unit, (255, 255, 255), unit, cv2.LINE_AA)


def _draw_line(canvas: UInt8Image, start_xyxy: BoxXYXY, end_xyxy: BoxXYXY, colour: RGB) -> None:
    start, end = ((round((box[0] + box[2]) / 2), round((box[1] + box[3]) / 2)) for box in (start_xyxy, end_xyxy))
    cv2.line(canvas, start, end, colour, _unit(canvas), cv2.LINE_AA)


def _unit(canvas: UInt8Image) -> int:
    """Line width that stays visible at any resolution."""
    return max(1, round(max(canvas.shape[:2]) / 960))
