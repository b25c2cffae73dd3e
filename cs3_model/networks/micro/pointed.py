"""Boxes of points: which object is where one points, SAM 2's click. For each feature the box of the object it lies on.

Shape suffixes: N images, C channels, H and W rows and columns of the features, K points.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs3_model.networks.micro.tower import STRIDE, ResidualBlock, fill_bias

_MAX_LOG_DISTANCE = 6.0


class PointBoxHead(nn.Module):
    """Features of the tower to boxes, each given by its distances from the feature's middle (FCOS, Tian et al., 2019).

    Args:
        feature_dim: C.
    """

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.near = ResidualBlock(feature_dim)
        self.log_distances = nn.Conv2d(feature_dim, 4, 1)
        fill_bias(self.log_distances, 3.0)

    def forward(self, features_NCHW: Tensor) -> Tensor:
        """Returns x_min, y_min, x_max, y_max in pixels of the network's image, float32 [N, 4, H, W]."""
        logs = self.log_distances(self.near(features_NCHW)).float()
        distances = logs.clamp(max=_MAX_LOG_DISTANCE).exp()
        height, width = logs.shape[2:]
        ys, xs = (STRIDE * (torch.arange(size, device=logs.device) + 0.5) for size in (height, width))
        middle = torch.stack(torch.meshgrid(xs, ys, indexing="xy"))
        return torch.cat([middle - distances[:, :2], middle + distances[:, 2:]], 1)


def boxes_at(boxes_4HW: Tensor, points_K2: Tensor) -> Tensor:
    """The boxes at points of one image: those of the four nearest features, averaged by their nearness.

    Args:
        boxes_4HW: of `PointBoxHead`.
        points_K2: x, y in pixels of the network's image.

    Returns:
        [K, 4].
    """
    height, width = boxes_4HW.shape[1:]
    grid = 2 * points_K2 / (STRIDE * points_K2.new_tensor([width, height])) - 1
    sampled = F.grid_sample(boxes_4HW[None], grid[None, None], padding_mode="border", align_corners=False)
    return sampled[0, :, 0].T
