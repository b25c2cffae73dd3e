"""The same random weights give what detectron2 and the reference RoI heads gave (see golden/make_golden.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from cs3_model.networks.hands23.config import Hands23Config, Hands23InputSize, Hands23Thresholds
from cs3_model.networks.hands23.detections import HandDetections, Touch
from cs3_model.networks.hands23.detector import Hands23Detector
from cs3_model.networks.hands23.network import Hands23Network, RawDetections
from cs3_model.networks.hands23.preprocessing import preprocess
from cs3_model.networks.hands23.random_weights import random_state_dict
from cs3_model.types import UInt8Image

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network of ours with everything detectron2 computed for it."""

    detector: Hands23Detector
    scene: UInt8Image
    input_size: Hands23InputSize
    thresholds: Hands23Thresholds
    expected: dict[str, Any]

    @cached_property
    @torch.inference_mode()
    def pyramid(self) -> list[torch.Tensor]:
        pixels, size_hw = preprocess(self.scene, self.input_size, device=torch.device("cpu"), dtype=torch.float32)
        assert list(size_hw) == self.expected["image_hw"]
        return self.detector.network.backbone(pixels)

    @cached_property
    def detections(self) -> HandDetections:
        return self.detector.detect_hands(self.scene)


@pytest.fixture(scope="module", params=["small", pytest.param("full", marks=pytest.mark.slow)])
def case(request: pytest.FixtureRequest) -> Case:
    golden = json.loads((GOLDEN / f"{request.param}.json").read_text())
    sizes = {name: tuple(size) if name == "blocks" else size for name, size in golden["case"]["config"].items()}
    with torch.device("meta"):
        network = Hands23Network(Hands23Config(**sizes))
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    network.load_state_dict(random_state_dict(shapes, golden["case"]["seed"]), assign=True)
    thresholds = Hands23Thresholds(**golden["case"]["thresholds"])
    input_size = Hands23InputSize(**golden["case"]["input_size"])
    scene = np.ascontiguousarray(cv2.imread(str(GOLDEN / "scene.png"))[..., ::-1])
    detector = Hands23Detector(network, name="golden", trained=False, thresholds=thresholds, input_size=input_size)
    return Case(
        detector=detector, scene=scene, input_size=input_size, thresholds=thresholds, expected=golden["expected"]
    )


@torch.inference_mode()
def test_every_pyramid_level_agrees(case: Case) -> None:
    for level, feature in zip(("p2", "p3", "p4", "p5", "p6"), case.pyramid, strict=True):
        sampled = feature.flatten()[torch.linspace(0, feature.numel() - 1, 48).long()]
        torch.testing.assert_close(sampled, torch.tensor(case.expected["pyramid"][level]), rtol=0, atol=1e-3)


@torch.inference_mode()
def test_proposals_agree(case: Case) -> None:
    boxes, objectness = case.detector.network.proposal_generator(case.pyramid, tuple(case.expected["image_hw"]))
    assert len(boxes) == case.expected["num_proposals"]
    torch.testing.assert_close(boxes[:200], torch.tensor(case.expected["proposals"]), rtol=0, atol=1e-3)
    torch.testing.assert_close(objectness[:200], torch.tensor(case.expected["objectness"]), rtol=0, atol=1e-3)


@torch.inference_mode()
def test_detected_boxes_scores_and_classes_agree(case: Case) -> None:
    size_hw, expected = tuple(case.expected["image_hw"]), case.expected["unfiltered"]
    network, pyramid = case.detector.network, case.pyramid
    proposals, _ = network.proposal_generator(pyramid, size_hw)
    lowest = (min(case.thresholds.per_class),) * 3
    boxes, scores, classes = network.roi_heads.detect(pyramid, proposals, size_hw, lowest)
    assert classes.tolist() == expected["classes"]
    torch.testing.assert_close(boxes, torch.tensor(expected["boxes"]), rtol=0, atol=1e-3)
    torch.testing.assert_close(scores, torch.tensor(expected["scores"]), rtol=0, atol=1e-3)


def test_hands_and_linked_objects_agree(case: Case) -> None:
    """Compares sides, contact states, grasps, touches, links and boxes in pixels of the original image."""
    expected = case.expected["output"]
    num_hands = expected["classes"].count(0)
    assert len(case.detections.hands) == num_hands
    for index, hand in enumerate(case.detections.hands):
        assert (hand.side, hand.contact, hand.grasp) == tuple(
            expected[field][index] for field in ("side", "contact", "grasp")
        )
        assert hand.box_xyxy == pytest.approx(expected["boxes"][index], abs=1e-3)
        assert hand.grasp_scores == pytest.approx(expected["grasp_scores"][index], abs=1e-3)
        first = expected["interaction"][index]
        assert (hand.first_object is not None) == (first >= 0)
        if hand.first_object is None:
            continue
        assert hand.first_object.box_xyxy == pytest.approx(expected["boxes"][first], abs=1e-3)
        assert hand.first_object.score == pytest.approx(expected["scores"][first], abs=1e-3)
        assert hand.first_object.touch == expected["touch"][first]
        assert hand.first_object.touch_scores == pytest.approx(expected["touch_scores"][first], abs=1e-3)
        second = expected["interaction"][first]
        assert (hand.second_object is not None) == (second >= 0)
        if hand.second_object is not None:
            assert hand.second_object.box_xyxy == pytest.approx(expected["boxes"][second], abs=1e-3)


@torch.inference_mode()
def test_relation_probabilities_agree(case: Case) -> None:
    pixels, size_hw = preprocess(case.scene, case.input_size, device=torch.device("cpu"), dtype=torch.float32)
    raw: RawDetections = case.detector.network(pixels, size_hw, case.thresholds.per_class)
    assert len(raw.boxes) == case.expected["output"]["num_kept"]
    strongest = (1 - raw.contact[..., 0]).amax(dim=1)[raw.classes == 0]
    expected = torch.tensor(case.expected["output"]["relation"])[: len(strongest)]
    torch.testing.assert_close(strongest, expected, rtol=0, atol=1e-3)


def test_the_golden_scene_takes_every_branch(case: Case) -> None:
    """Otherwise agreement would prove little: linked and unlinked hands of both sides, tools in use among others."""
    hands = case.detections.hands
    assert {hand.side for hand in hands} == {0, 1}
    assert {hand.first_object is None for hand in hands} == {True, False}
    assert {hand.second_object is None for hand in hands} == {True, False}
    touches = {hand.first_object.touch for hand in hands if hand.first_object}
    assert Touch.TOOL_USED in touches and len(touches) > 1
