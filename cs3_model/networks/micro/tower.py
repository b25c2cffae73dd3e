"""The vision tower: a residual network with a feature pyramid.

Shape suffixes: N images, C channels, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 4
"""Pixels of the image per feature."""


def conv_norm(num_in: int, num_out: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm, without activation."""
    conv = nn.Conv2d(num_in, num_out, kernel, stride, (kernel - 1) // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(num_out))


def fill_bias(layer: nn.Conv2d | nn.Linear, value: float) -> None:
    """Sets all biases of a layer that has some."""
    assert layer.bias is not None
    nn.init.constant_(layer.bias, value)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_norm(channels, channels)
        self.second = conv_norm(channels, channels)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Keeps the shape."""
        return F.relu(x_NCHW + self.second(F.relu(self.first(x_NCHW))))


class VisionTower(nn.Module):
    """Images to a map of features with a stride of `STRIDE`.

    Args:
        widths: channels at strides 4, 8, 16 and 32.
        depths: residual blocks at these strides.
        feature_dim: channels of the result.
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        self.stem = conv_norm(12, widths[0], stride=2)
        stages = []
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            down = [] if index == 0 else [conv_norm(widths[index - 1], width, stride=2), nn.ReLU()]
            stages.append(nn.Sequential(*down, *(ResidualBlock(width) for _ in range(depth))))
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(nn.Conv2d(width, feature_dim, 1) for width in widths)
        self.scene = nn.Linear(widths[-1], feature_dim)
        self.merges = nn.ModuleList(conv_norm(feature_dim, feature_dim) for _ in widths[:-1])

    def forward(self, images_N3HW: Tensor) -> Tensor:
        """Takes RGB in [0, 1] with sides that are multiples of 32; returns [N, feature_dim, H / 4, W / 4]."""
        x = F.relu(self.stem(F.pixel_unshuffle(images_N3HW * 4.0 - 2.0, 2)))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        merged = self.laterals[-1](x) + self.scene(x.mean((2, 3)))[..., None, None]
        for lateral, merge, level in zip(self.laterals[-2::-1], self.merges, levels[-2::-1], strict=True):
            merged = F.relu(merge(F.interpolate(merged, scale_factor=2.0, mode="nearest") + lateral(level)))
        return merged
