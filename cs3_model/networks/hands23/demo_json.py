"""The JSON file that the reference demo of Hands23 writes, as export and import.

Numbers are strings in it: boxes with the digits of a float32, confidences with 2 decimals, probabilities with 4.
What is absent is `null` for boxes and score tables, but `"None"` for labels and confidences.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cs3_model.networks.hands23.detections import (
    ContactState,
    DetectedHand,
    FirstObject,
    Grasp,
    HandDetections,
    HandSide,
    LabelledEnum,
    SecondObject,
    Touch,
)
from cs3_model.types import BoxXYXY


def to_demo_json(images: Mapping[str, HandDetections], save_dir: str = "") -> dict[str, Any]:
    """Converts the detections of several images to the demo's schema.

    Args:
        images: detections by file name.
        save_dir: what to write as the demo's output folder.

    Returns:
        What `json.dump` takes.
    """
    return {
        "save_dir": save_dir,
        "images": [
            {"file_name": name, "predictions": [_dump_hand(index, hand) for index, hand in enumerate(detections.hands)]}
            for name, detections in images.items()
        ],
    }


def read_demo_json(path: Path) -> dict[str, HandDetections]:
    """Reads a `result.json` of the reference demo.

    Returns:
        Detections by file name.

    Raises:
        ValueError: if the file is not in the demo's schema.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {image["file_name"]: _load_image(image) for image in content["images"]}
    except KeyError as error:
        raise ValueError(f"{path} is not a result of the Hands23 demo: it lacks the field {error}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a result of the Hands23 demo: {error}") from None


def _dump_hand(index: int, hand: DetectedHand) -> dict[str, Any]:
    first, second = hand.first_object, hand.second_object
    return {
        "hand_id": index,
        "hand_bbox": _dump_box(hand.box_xyxy),
        "contact_state": hand.contact.label,
        "hand_side": hand.side.label,
        "obj_bbox": first and _dump_box(first.box_xyxy),
        "obj_touch": first.touch.label if first else "None",
        "obj_touch_scores": first and _dump_scores(Touch, first.touch_scores),
        "second_obj_bbox": second and _dump_box(second.box_xyxy),
        "grasp": hand.grasp.label,
        "grasp_scores": _dump_scores(Grasp, hand.grasp_scores),
        "hand_pred_score": _dump_confidence(hand),
        "obj_pred_score": _dump_confidence(first),
        "sec_obj_pred_score": _dump_confidence(second),
    }


def _dump_box(box_xyxy: BoxXYXY) -> list[str]:
    return [str(np.float32(value)) for value in box_xyxy]


def _dump_scores(labels: type[LabelledEnum], scores: tuple[float, ...]) -> dict[str, str]:
    return {member.label: str(round(score, 4)) for member, score in zip(labels, scores, strict=True)}


def _dump_confidence(detection: DetectedHand | FirstObject | SecondObject | None) -> str:
    return "None" if detection is None else str(round(detection.score, 2))


def _load_image(image: Mapping[str, Any]) -> HandDetections:
    return HandDetections(hands=tuple(_load_hand(prediction) for prediction in image["predictions"]))


def _load_hand(prediction: Mapping[str, Any]) -> DetectedHand:
    return DetectedHand(
        box_xyxy=_load_box(prediction["hand_bbox"]),
        score=float(prediction["hand_pred_score"]),
        side=HandSide.from_label(prediction["hand_side"]),
        contact=ContactState.from_label(prediction["contact_state"]),
        grasp=Grasp.from_label(prediction["grasp"]),
        grasp_scores=_load_scores(Grasp, prediction["grasp_scores"]),
        first_object=_load_first_object(prediction),
        second_object=_load_second_object(prediction),
    )


def _load_first_object(prediction: Mapping[str, Any]) -> FirstObject | None:
    if prediction["obj_bbox"] is None:
        return None
    return FirstObject(
        box_xyxy=_load_box(prediction["obj_bbox"]),
        score=float(prediction["obj_pred_score"]),
        touch=Touch.from_label(prediction["obj_touch"]),
        touch_scores=_load_scores(Touch, prediction["obj_touch_scores"]),
    )


def _load_second_object(prediction: Mapping[str, Any]) -> SecondObject | None:
    if prediction["second_obj_bbox"] is None:
        return None
    return SecondObject(
        box_xyxy=_load_box(prediction["second_obj_bbox"]), score=float(prediction["sec_obj_pred_score"])
    )


def _load_box(values: list[str]) -> BoxXYXY:
    if len(values) != 4:
        raise ValueError(f"a box has 4 numbers, got {values}")
    x_min, y_min, x_max, y_max = map(float, values)
    return x_min, y_min, x_max, y_max


def _load_scores(labels: type[LabelledEnum], scores: Mapping[str, str]) -> tuple[float, ...]:
    return tuple(float(scores[member.label]) for member in labels)
