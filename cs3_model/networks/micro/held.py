"""Objects in hands: Hands23's counterpart. For each side a map of where the centre of the held object is, and a box.

Shape suffixes: N images, C channels, H and W of the head's grid, S sides (left, right).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs3_model.networks.micro.tower import STRIDE, conv_norm, fill_bias

GRID_STRIDE = 2 * STRIDE
"""Pixels of the network's image per cell."""
SIDES = ("left", "right")


class HeldMaps(NamedTuple):
    """What the head says about each cell."""

    logits_NSHW: Tensor
    """That the centre of the object in this hand lies in the cell."""
    distances_NS4HW: Tensor
    """From the cell's middle to the left, top, right and bottom edge of the object's box, pixels, positive."""


class HeldHead(nn.Module):
    """Features of the tower to `HeldMaps`.

    Args:
        feature_dim: C.
    """

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(
            conv_norm(feature_dim, feature_dim, stride=2), nn.ReLU(), conv_norm(feature_dim, feature_dim), nn.ReLU()
        )
        self.centre = nn.Conv2d(feature_dim, len(SIDES), 1)
        self.distances = nn.Conv2d(feature_dim, 4 * len(SIDES), 1)
        fill_bias(self.centre, -4.0)
        fill_bias(self.distances, 1.0)

    def forward(self, features_NCHW: Tensor) -> HeldMaps:
        """Returns maps at half the resolution of the features."""
        x = self.shared(features_NCHW)
        distances = F.softplus(self.distances(x).float()).unflatten(1, (len(SIDES), 4)) * GRID_STRIDE
        return HeldMaps(self.centre(x).float(), distances)


def best_boxes(maps: HeldMaps) -> tuple[Tensor, Tensor]:
    """The likeliest box of each side.

    Returns:
        Boxes [N, S, 4] (x_min, y_min, x_max, y_max) in pixels of the network's image, and scores [N, S] in [0, 1].
    """
    width = maps.logits_NSHW.shape[-1]
    scores, cells = maps.logits_NSHW.flatten(2).max(-1)
    distances = maps.distances_NS4HW.flatten(3)
    chosen = distances.gather(3, cells[:, :, None, None].expand(-1, -1, 4, 1)).squeeze(3)
    middle = (torch.stack([cells % width, cells // width], -1) + 0.5) * GRID_STRIDE
    return torch.cat([middle - chosen[..., :2], middle + chosen[..., 2:]], -1), scores.sigmoid()
