from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cs3_model.networks.hands23.demo_json import read_demo_json, to_demo_json
from cs3_model.networks.hands23.detections import (
    ContactState,
    DetectedHand,
    Grasp,
    HandDetections,
    HandSide,
    Touch,
)

EXAMPLE = "hands23_example/result.json"
IMAGE_NAME = "EK_0010_P04_101_frame_0000013113.jpg"

EMPTY_HAND = DetectedHand(
    box_xyxy=(1.5, 2.0, 30.25, 40.0),
    score=0.875,
    side=HandSide.LEFT,
    contact=ContactState.NONE,
    grasp=Grasp.OTHER,
    grasp_scores=(0.0,) * 7 + (1.0,),
)


def test_the_reference_result_reads_as_a_pot_and_a_spoon_over_a_bowl(shared_data: Callable[[str], Path]) -> None:
    left, right = read_demo_json(shared_data(EXAMPLE))[IMAGE_NAME].hands
    assert (left.side, left.contact, left.grasp) == (HandSide.LEFT, ContactState.OBJECT, Grasp.POWER_PRISMATIC)
    assert left.first_object.touch is Touch.CONTAINER_HELD
    assert left.first_object.touch_scores[Touch.CONTAINER_HELD] == 0.9963
    assert left.second_object is None
    assert right.side is HandSide.RIGHT
    assert right.first_object.touch is Touch.TOOL_USED
    assert right.second_object.score == 0.94


def test_the_reference_result_reduces_to_one_object_in_each_hand(shared_data: Callable[[str], Path]) -> None:
    held = read_demo_json(shared_data(EXAMPLE))[IMAGE_NAME].held_objects((1080, 1920))
    assert held.left.box_xyxy == (584.13196, 820.8564, 813.09796, 1051.8027)
    assert held.left.hand_box_xyxy == (512.48346, 822.88104, 803.2441, 1075.5424)
    assert held.right.box_xyxy == (877.7446, 812.32745, 1035.7141, 925.62396)
    assert held.right.score == 0.99


def test_export_of_the_imported_reference_result_is_the_same_file(shared_data: Callable[[str], Path]) -> None:
    path = shared_data(EXAMPLE)
    assert to_demo_json(read_demo_json(path), "example_result/") == json.loads(path.read_text())


def test_absent_objects_are_written_as_the_demo_writes_them() -> None:
    (prediction,) = to_demo_json({"a.jpg": HandDetections(hands=(EMPTY_HAND,))})["images"][0]["predictions"]
    assert prediction["hand_bbox"] == ["1.5", "2.0", "30.25", "40.0"]
    assert prediction["obj_bbox"] is None and prediction["obj_touch_scores"] is None
    assert prediction["obj_touch"] == "None" and prediction["obj_pred_score"] == "None"
    assert prediction["second_obj_bbox"] is None and prediction["sec_obj_pred_score"] == "None"


def test_what_is_exported_reads_back(tmp_path: Path) -> None:
    images = {"a.jpg": HandDetections(hands=(EMPTY_HAND,)), "b.jpg": HandDetections()}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(to_demo_json(images)))
    read = read_demo_json(path)
    assert read["a.jpg"].hands[0].score == 0.88  # two decimals
    assert read["a.jpg"].hands[0].box_xyxy == EMPTY_HAND.box_xyxy
    assert read["b.jpg"].hands == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "Expecting value"),
        ("[]", "indices"),
        ('{"save_dir": ""}', "lacks the field 'images'"),
        ('{"images": [{"file_name": "a", "predictions": [{"hand_bbox": ["1", "2"]}]}]}', "a box has 4 numbers"),
        ('{"images": [{"file_name": "a", "predictions": [{"hand_bbox": ["1", "2", "3", "x"]}]}]}', "'x'"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"other\.json is not a result of the Hands23 demo: .*{message}"):
        read_demo_json(path)
