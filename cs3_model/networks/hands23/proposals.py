"""Region proposals: anchors, the RPN head and the choice of proposals, with detectron2's conventions.

torchvision's own RPN cannot stand in: it rounds the anchors to whole pixels.

Shapes: B batch (always 1 where proposals are chosen), A anchors per position, H W size of a pyramid level.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import batched_nms

from cs3_model.networks.hands23.boxes import clip_boxes, decode_boxes, is_nonempty
from cs3_model.networks.hands23.config import Hands23Config

STRIDES = (4, 8, 16, 32, 64)
ANCHOR_SIZES = (32, 64, 128, 256, 512)
ASPECT_RATIOS = (0.5, 1.0, 2.0)
NMS_IOU = 0.7
RPN_WEIGHTS = (1.0, 1.0, 1.0, 1.0)


def grid_anchors(size_hw: tuple[int, int], *, stride: int, side: int, device: torch.device) -> torch.Tensor:
    """Lays the anchors of one pyramid level: not rounded, the first centred on the image's corner.

    Args:
        size_hw: height and width of the level.
        stride: input pixels per position.
        side: square root of the anchors' area, pixels.
        device: where to lay them.

    Returns:
        float32 [H * W * A, 4], aspect ratio (height / width) running fastest, then x.
    """
    cells = []
    for ratio in ASPECT_RATIOS:
        width = math.sqrt(side**2 / ratio)
        height = ratio * width
        cells.append([-width / 2, -height / 2, width / 2, height / 2])
    height, width = size_hw
    y = torch.arange(height, device=device, dtype=torch.float32) * stride
    x = torch.arange(width, device=device, dtype=torch.float32) * stride
    y, x = torch.meshgrid(y, x, indexing="ij")
    shifts = torch.stack([x, y, x, y], dim=-1).reshape(-1, 1, 4)
    return (shifts + torch.tensor(cells, device=device)).reshape(-1, 4)


class RPNHead(nn.Module):
    """Objectness and box deltas for every anchor of a pyramid level."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness_logits = nn.Conv2d(channels, len(ASPECT_RATIOS), 1)
        self.anchor_deltas = nn.Conv2d(channels, 4 * len(ASPECT_RATIOS), 1)

    def forward(self, feature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns objectness logits [B, H * W * A] and deltas [B, H * W * A, 4] of one level."""
        hidden = F.relu_(self.conv(feature))
        objectness = self.objectness_logits(hidden).permute(0, 2, 3, 1).flatten(1)
        deltas = self.anchor_deltas(hidden).unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)
        return objectness, deltas


class ProposalGenerator(nn.Module):
    """The region proposal network."""

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        self.rpn_head = RPNHead(config.fpn_channels)
        self._per_level = config.proposals_per_level
        self._max_proposals = config.max_proposals

    def forward(self, pyramid: list[torch.Tensor], size_hw: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Chooses the boxes worth classifying in one image.

        Args:
            pyramid: p2 to p6, each [1, C, H, W].
            size_hw: height and width of the image without padding, pixels of the input.

        Returns:
            Boxes, float32 [N, 4], clipped to the image, best first, and their objectness logits, float32 [N].
        """
        boxes, scores, levels = [], [], []
        for level, feature in enumerate(pyramid):
            objectness, deltas = self.rpn_head(feature)
            objectness = objectness[0].float()
            best, index = objectness.topk(min(self._per_level, objectness.numel()))
            anchors = grid_anchors(
                (feature.shape[-2], feature.shape[-1]),
                stride=STRIDES[level],
                side=ANCHOR_SIZES[level],
                device=feature.device,
            )
            boxes.append(decode_boxes(deltas[0, index, None], anchors[index], RPN_WEIGHTS)[:, 0])
            scores.append(best)
            levels.append(torch.full_like(index, level))
        return self._choose(torch.cat(boxes), torch.cat(scores), torch.cat(levels), size_hw)

    def _choose(
        self, boxes: torch.Tensor, scores: torch.Tensor, levels: torch.Tensor, size_hw: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        finite = boxes.isfinite().all(dim=1) & scores.isfinite()
        boxes = clip_boxes(boxes, size_hw)
        valid = finite & is_nonempty(boxes)
        boxes, scores, levels = boxes[valid], scores[valid], levels[valid]
        keep = batched_nms(boxes, scores, levels, NMS_IOU)[: self._max_proposals]
        return boxes[keep], scores[keep]
