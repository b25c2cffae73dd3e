"""Masks of boxes: SAM 2's counterpart. Features under the box to a small mask.

Shape suffixes: K boxes, C channels, M side of the mask.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs3_model.networks.micro.tower import STRIDE, conv_norm

POOLED_SIDE = 14
MASK_SIDE = 2 * POOLED_SIDE
"""M."""
MARGIN = 0.15
"""Share of its side by which a box is widened on each side, because boxes are not exact."""


class BoxMaskHead(nn.Module):
    """Masks of whatever object fills a box.

    Args:
        feature_dim: C of the tower's features.
        hidden_dim: channels inside.
    """

    def __init__(self, feature_dim: int, hidden_dim: int = 64) -> None:
        super().__init__()
        widths = [feature_dim + 1, hidden_dim, hidden_dim, hidden_dim]
        self.convs = nn.Sequential(
            *(layer for pair in itertools.pairwise(widths) for layer in (conv_norm(*pair), nn.ReLU()))
        )
        self.up = nn.Sequential(conv_norm(hidden_dim, hidden_dim), nn.ReLU(), nn.Conv2d(hidden_dim, 1, 1))

    def forward(self, features_NCHW: Tensor, boxes_K5: Tensor) -> Tensor:
        """Segments boxes.

        Args:
            features_NCHW: of the tower.
            boxes_K5: index of the image, then x_min, y_min, x_max, y_max in pixels of the network's image.

        Returns:
            Logits [K, M, M] of each box widened by `MARGIN`.
        """
        pooled = roi_align(features_NCHW[boxes_K5[:, 0].long()].float(), widened(boxes_K5[:, 1:]) / STRIDE)
        inside = torch.linspace(-0.5 - MARGIN, 0.5 + MARGIN, POOLED_SIDE, device=pooled.device).abs() < 0.5
        box = (inside[:, None] & inside[None]).to(pooled.dtype).expand(len(pooled), 1, -1, -1)
        x = self.convs(torch.cat([pooled, box], 1))
        return self.up(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)).squeeze(1)


def roi_align(features_KCHW: Tensor, boxes_K4: Tensor) -> Tensor:
    """Features under boxes (Mask R-CNN, section 3: RoIAlign), two samples per cell and side averaged.

    Equals torchvision's with `aligned=True` and `sampling_ratio=2`; importing torchvision takes 130 MiB of memory.

    Args:
        features_KCHW: float32, those of each box's image.
        boxes_K4: x_min, y_min, x_max, y_max in cells of the features; a box may reach beyond them.

    Returns:
        [K, C, P, P] with P = `POOLED_SIDE`. Up to half a cell outside of the features their border goes on, further
        out are zeros.
    """
    height, width = features_KCHW.shape[2:]
    size_xy = torch.tensor([width, height], device=boxes_K4.device)
    steps = (torch.arange(2 * POOLED_SIDE, device=boxes_K4.device) + 0.5) / (2 * POOLED_SIDE)
    lowest_K12, highest_K12 = boxes_K4[:, None, :2], boxes_K4[:, None, 2:]
    points = 2 * (lowest_K12 + steps[:, None] * (highest_K12 - lowest_K12)) / size_xy - 1  # [K, 2P, (x, y)] in [-1, 1]
    near = points.abs() <= 1 + 1 / size_xy
    grid = torch.stack(torch.broadcast_tensors(points[:, None, :, 0], points[:, :, None, 1]), -1)
    samples = F.grid_sample(features_KCHW, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(samples * (near[:, None, None, :, 0] & near[:, None, :, None, 1]), 2)


def widened(boxes_K4: Tensor) -> Tensor:
    """Boxes [K, 4] with their margin."""
    margin = MARGIN * (boxes_K4[:, 2:] - boxes_K4[:, :2])
    return torch.cat([boxes_K4[:, :2] - margin, boxes_K4[:, 2:] + margin], 1)


def paste_masks(logits_KMM: Tensor, boxes_K4: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Puts masks of `BoxMaskHead` into an image.

    Args:
        logits_KMM: of the widened boxes.
        boxes_K4: x_min, y_min, x_max, y_max in pixels of the image, not widened.
        size_hw: height and width of the image.

    Returns:
        Logits [K, H, W]; strongly negative outside of the widened boxes.
    """
    x_min, y_min, x_max, y_max = widened(boxes_K4)[:, :, None].unbind(1)
    height, width = size_hw
    ys_KH = (torch.arange(height, device=boxes_K4.device) + 0.5 - y_min) / (y_max - y_min) * 2 - 1
    xs_KW = (torch.arange(width, device=boxes_K4.device) + 0.5 - x_min) / (x_max - x_min) * 2 - 1
    pasted = logits_KMM.new_full((len(boxes_K4), height, width), -10.0, dtype=torch.float32)
    for canvas, logits, ys, xs in zip(pasted, logits_KMM.float(), ys_KH, xs_KW, strict=True):
        rows, columns = ((~(at.abs() > 1)).nonzero().flatten() for at in (ys, xs))
        if len(rows) and len(columns):
            y, x = torch.meshgrid(ys[rows], xs[columns], indexing="ij")
            grid = torch.stack([x, y], -1)[None]
            canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = F.grid_sample(
                logits[None, None], grid, mode="bilinear", padding_mode="border", align_corners=False
            )
    return pasted
