"""Region heads: pooling, classification and box refinement, with detectron2's conventions.

torchvision's MultiScaleRoIAlign and predictor cannot stand in: their sampling grid is shifted by half a pixel, their
background is the first class rather than the last, and they regress boxes of the background too.

Shapes: N boxes, C channels, D features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import batched_nms, roi_align

from cs3_model.networks.hands23.boxes import clip_boxes, decode_boxes, is_nonempty
from cs3_model.networks.hands23.config import Hands23Config
from cs3_model.networks.hands23.relations import NUM_GEOMETRY_FEATURES, RelationHead

NUM_CLASSES = 3
"""Hand, first object, second object; the background comes after them."""
POOL_SIZE = 7
CANONICAL_SIDE, CANONICAL_LEVEL = 224, 4
LEVELS = (2, 3, 4, 5)
NMS_IOU = 0.5
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def assign_levels(boxes: torch.Tensor) -> torch.Tensor:
    """Chooses the pyramid level for each box by its size (Eq. 1 of the FPN paper); int64 [N], 0 stands for p2."""
    sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    levels = torch.floor(CANONICAL_LEVEL + torch.log2(sides / CANONICAL_SIDE + 1e-8))
    return levels.clamp(LEVELS[0], LEVELS[-1]).to(torch.int64) - LEVELS[0]


def pool_boxes(pyramid: list[torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
    """Samples 7x7 features for each box (aligned RoIAlign, as many samples per cell as it has pixels).

    Args:
        pyramid: p2 to p5 (further levels are not used), each [1, C, H, W].
        boxes: float32 [N, 4], pixels of the input.

    Returns:
        [N, C, 7, 7] in the pyramid's dtype.
    """
    pooled = pyramid[0].new_empty(len(boxes), pyramid[0].shape[1], POOL_SIZE, POOL_SIZE)
    assigned = assign_levels(boxes)
    for index, level in enumerate(LEVELS):
        chosen = (assigned == index).nonzero()[:, 0]
        # RoIAlign knows no bfloat16.
        feature = pyramid[index].float()
        sampled = roi_align(feature, [boxes[chosen]], POOL_SIZE, spatial_scale=2.0**-level, aligned=True)
        pooled[chosen] = sampled.to(pooled.dtype)
    return pooled


class BoxHead(nn.Module):
    """Two fully connected layers from pooled features to the features [N, D] of a box."""

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.fpn_channels * POOL_SIZE**2, config.hidden_features)
        self.fc2 = nn.Linear(config.hidden_features, config.hidden_features)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        return F.relu_(self.fc2(F.relu_(self.fc1(pooled.flatten(1)))))


class BoxPredictor(nn.Module):
    """Class scores (background last) and one box per foreground class."""

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        self.cls_score = nn.Linear(config.hidden_features, NUM_CLASSES + 1)
        self.bbox_pred = nn.Linear(config.hidden_features, 4 * NUM_CLASSES)

    def forward(self, features: torch.Tensor, proposals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns probabilities, float32 [N, 3], and refined boxes, float32 [N, 3, 4], for features [N, D]."""
        scores = self.cls_score(features).float().softmax(dim=-1)[:, :NUM_CLASSES]
        return scores, decode_boxes(self.bbox_pred(features).unflatten(1, (-1, 4)), proposals, BOX_WEIGHTS)


class MaskHead(nn.Module):
    """The layers of the published mask head. CS3 takes its masks from SAM2: these only let the checkpoint load whole."""

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        channels = config.fpn_channels
        for index in range(1, 5):
            self.add_module(f"mask_fcn{index}", nn.Conv2d(channels, config.mask_channels, 3, padding=1))
            channels = config.mask_channels
        self.deconv = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.predictor = nn.Conv2d(channels, NUM_CLASSES, 1)


class RoIHeads(nn.Module):
    """Everything that looks at boxes: detection first, then the relations between the detected boxes."""

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        features = config.hidden_features
        self.box_head = BoxHead(config)
        self.box_predictor = BoxPredictor(config)
        self.mask_head = MaskHead(config)
        self.z_head = RelationHead(2 * features + NUM_GEOMETRY_FEATURES, features, 5)
        self.h_head = RelationHead(features, features, 2)
        self.t_head = RelationHead(features, features, 7)
        self.g_head = RelationHead(features, features, 8)
        self._max_detections = config.max_detections

    def box_features(self, pyramid: list[torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
        """Computes the features [N, D] of boxes [N, 4]."""
        return self.box_head(pool_boxes(pyramid, boxes))

    def detect(
        self,
        pyramid: list[torch.Tensor],
        proposals: torch.Tensor,
        size_hw: tuple[int, int],
        thresholds: tuple[float, float, float],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Turns proposals into detections.

        The best boxes are chosen with the lowest of the three thresholds, as the reference does, so that a crowd of
        uncertain boxes of one class can displace boxes of another. Empty boxes are dropped: they have no geometry.

        Args:
            pyramid: p2 to p6.
            proposals: float32 [N, 4].
            size_hw: height and width of the image without padding.
            thresholds: lowest score per class.

        Returns:
            Boxes, float32 [M, 4], scores, float32 [M], and classes, int64 [M], best first.
        """
        scores, boxes = self.box_predictor(self.box_features(pyramid, proposals), proposals)
        finite = scores.isfinite().all(dim=1) & boxes.flatten(1).isfinite().all(dim=1)
        boxes = clip_boxes(boxes, size_hw)
        row, label = ((scores > min(thresholds)) & finite[:, None]).nonzero(as_tuple=True)
        boxes, scores = boxes[row, label], scores[row, label]
        best = batched_nms(boxes, scores, label, NMS_IOU)[: self._max_detections]
        boxes, scores, label = boxes[best], scores[best], label[best]
        keep = (scores >= scores.new_tensor(thresholds)[label]) & is_nonempty(boxes)
        return boxes[keep], scores[keep], label[keep]
