"""The Hands23 network, from a normalised image to boxes and the probabilities of their relations.

Cheng, Shan et al., "Towards A Richer 2D Understanding of Hands at Scale" (NeurIPS 2023): Faster R-CNN with four more
heads, for the side of a hand, its grasp, how an object is touched, and which boxes touch each other. Modules bear the
names of the published checkpoint.

Shapes: N boxes, H W pixels of the padded input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cs3_model.networks.hands23.backbone import FeaturePyramid
from cs3_model.networks.hands23.config import Hands23Config
from cs3_model.networks.hands23.proposals import ProposalGenerator
from cs3_model.networks.hands23.relations import pair_features, related_pairs
from cs3_model.networks.hands23.roi_heads import RoIHeads


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RawDetections:
    """What the network says of one image, best box first. Boxes are in pixels of the resized image."""

    boxes: torch.Tensor
    """float32 [N, 4]."""
    scores: torch.Tensor
    """float32 [N]."""
    classes: torch.Tensor
    """0 hand, 1 first object, 2 second object; int64 [N]."""
    side: torch.Tensor
    """Probabilities of left and right, float32 [N, 2]; they mean something for hands."""
    grasp: torch.Tensor
    """Probabilities of the grasps, float32 [N, 8]; for hands."""
    touch: torch.Tensor
    """Probabilities of the ways of touching, float32 [N, 7]; for first objects."""
    contact: torch.Tensor
    """Probabilities of the contact states between box i and box j, float32 [N, N, 5]; state 0 (none) is certain for
    pairs that cannot touch."""

    def cpu(self) -> RawDetections:
        """The same in host memory."""
        return RawDetections(**{name: getattr(self, name).cpu() for name in self.__dataclass_fields__})


class Hands23Network(nn.Module):
    """Faster R-CNN on a feature pyramid with relation heads.

    `backbone` and `proposal_generator.rpn_head` have static shapes and can be compiled in place; the rest depends on
    how many boxes there are.
    """

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        self.config = config
        self.backbone = FeaturePyramid(config)
        self.proposal_generator = ProposalGenerator(config)
        self.roi_heads = RoIHeads(config)

    def forward(
        self, image: torch.Tensor, size_hw: tuple[int, int], thresholds: tuple[float, float, float]
    ) -> RawDetections:
        """Detects in one image.

        Args:
            image: normalised BGR, [1, 3, H, W], padded with zeros to multiples of 32.
            size_hw: height and width without the padding.
            thresholds: lowest score per class: hand, first object, second object.
        """
        pyramid = self.backbone(image)
        proposals, _ = self.proposal_generator(pyramid, size_hw)
        boxes, scores, classes = self.roi_heads.detect(pyramid, proposals, size_hw, thresholds)
        return self._relate(pyramid, boxes, scores, classes)

    def _relate(
        self, pyramid: list[torch.Tensor], boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor
    ) -> RawDetections:
        # The refined boxes are pooled anew: the features that found them belong to the coarser proposals.
        features = self.roi_heads.box_features(pyramid, boxes)
        pairs = related_pairs(classes)
        contact = scores.new_zeros(len(boxes), len(boxes), 5)
        contact[..., 0] = 1.0
        contact[pairs] = self.roi_heads.z_head(pair_features(features, boxes, pairs)).float().softmax(dim=-1)
        return RawDetections(
            boxes=boxes,
            scores=scores,
            classes=classes,
            side=self.roi_heads.h_head(features).float().softmax(dim=-1),
            grasp=self.roi_heads.g_head(features).float().softmax(dim=-1),
            touch=self.roi_heads.t_head(features).float().softmax(dim=-1),
            contact=contact,
        )
