"""Hands23 as the pipeline's hand-object detector, at full and at debug size."""

from __future__ import annotations

import dataclasses

import torch

from cs3_model.networks.hands23.boxes import clip_boxes
from cs3_model.networks.hands23.config import Hands23Config, Hands23InputSize, Hands23Thresholds
from cs3_model.networks.hands23.detections import HandDetections
from cs3_model.networks.hands23.linking import link_detections
from cs3_model.networks.hands23.network import Hands23Network
from cs3_model.networks.hands23.preprocessing import preprocess
from cs3_model.networks.hands23.random_weights import random_state_dict
from cs3_model.types import HandObjects, SideRule, UInt8Image

DEBUG_CONFIG = Hands23Config(
    blocks=(1, 1, 1, 1),
    groups=4,
    width_per_group=2,
    stem_channels=8,
    res2_channels=16,
    fpn_channels=16,
    hidden_features=64,
    mask_channels=8,
    proposals_per_level=100,
    max_proposals=100,
)
DEBUG_INPUT_SIZE = Hands23InputSize(short_side=160, max_side=320)


class Hands23Detector:
    """Implements `cs3_model.parts.HandObjectDetector`."""

    names_touched = True

    def __init__(
        self,
        network: Hands23Network,
        *,
        name: str,
        trained: bool,
        thresholds: Hands23Thresholds | None = None,
        input_size: Hands23InputSize | None = None,
        sides: SideRule = SideRule.LABELS,
    ) -> None:
        """Wraps a network, on whatever device and in whatever floating-point type it is.

        Args:
            network: with its weights loaded.
            name: identity of network and weights.
            trained: whether the weights mean anything.
            thresholds: what counts as a detection and as a relation; the reference demo's by default.
            input_size: to what images are resized; the reference's by default.
            sides: how left and right hands are told apart.
        """
        self.network = network.eval().requires_grad_(False)
        self.name = name
        self.trained = trained
        self._thresholds = thresholds or Hands23Thresholds()
        self._input_size = input_size or Hands23InputSize()
        self._sides = sides

    def detect(self, image: UInt8Image) -> HandObjects:
        """Finds what the wearer's hands hold in an RGB uint8 image [H, W, 3]; boxes are in its pixels."""
        return self.detect_hands(image).held_objects(image.shape[:2], self._sides)

    @torch.inference_mode()
    def detect_hands(self, image: UInt8Image) -> HandDetections:
        """Finds all hands and the objects they touch in an RGB uint8 image [H, W, 3]; boxes are in its pixels."""
        weight = self.network.proposal_generator.rpn_head.conv.weight
        pixels, size_hw = preprocess(image, self._input_size, device=weight.device, dtype=weight.dtype)
        raw = self.network(pixels, size_hw, self._thresholds.per_class).cpu()
        height, width = image.shape[:2]
        scale = raw.boxes.new_tensor([width / size_hw[1], height / size_hw[0]]).repeat(2)
        raw = dataclasses.replace(raw, boxes=clip_boxes(raw.boxes * scale, (height, width)))
        return link_detections(raw, self._thresholds)


def build_debug_hand_detector(seed: int = 0, device: torch.device | str = "cpu") -> Hands23Detector:
    """Builds a tiny random detector whose low thresholds let it find hands and objects in most images.

    Its output means nothing, but it takes every path of the real one within milliseconds on a CPU.
    """
    network = Hands23Network(DEBUG_CONFIG)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    network.load_state_dict(random_state_dict(shapes, seed))
    thresholds = Hands23Thresholds(
        hand=0.1, first_object=0.1, second_object=0.1, hand_relation=0.1, object_relation=0.1
    )
    return Hands23Detector(
        network.to(device),
        name=f"hands23-debug-{seed}",
        trained=False,
        thresholds=thresholds,
        input_size=DEBUG_INPUT_SIZE,
    )
