"""ResNeXt with a feature pyramid, as detectron2 builds and names it.

Shapes: B batch, H W pixels of the input (multiples of 32), C channels of the pyramid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from cs3_model.networks.hands23.config import Hands23Config


class FrozenNorm(FrozenBatchNorm2d):  # type: ignore[misc]  # torchvision has no types
    """torchvision's frozen batch norm, in one kernel instead of six."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class ConvNorm(nn.Conv2d):
    """Convolution without bias, then frozen batch norm under the name `norm`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
        self.norm: FrozenNorm | nn.Identity = FrozenNorm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(super().forward(x))

    def fold(self) -> None:
        """Merges the norm, which is affine, into the convolution. Exact up to rounding; the state dict changes."""
        assert isinstance(self.norm, FrozenNorm), "the norm is merged already"
        scale = self.norm.weight * (self.norm.running_var + self.norm.eps).rsqrt()
        self.weight = nn.Parameter(self.weight * scale[:, None, None, None])
        self.bias = nn.Parameter(self.norm.bias - self.norm.running_mean * scale)
        self.norm = nn.Identity()


class Bottleneck(nn.Module):
    """1x1, grouped 3x3 (which carries the stride), 1x1, and the residual sum."""

    def __init__(self, inputs: int, width: int, outputs: int, *, stride: int, groups: int) -> None:
        super().__init__()
        self.shortcut = ConvNorm(inputs, outputs, 1, stride=stride) if inputs != outputs else nn.Identity()
        self.conv1 = ConvNorm(inputs, width, 1)
        self.conv2 = ConvNorm(width, width, 3, stride=stride, groups=groups)
        self.conv3 = ConvNorm(width, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu_(self.conv1(x))
        y = F.relu_(self.conv2(y))
        return F.relu_(self.conv3(y) + self.shortcut(x))


class Stem(nn.Module):
    """7x7 convolution and max pooling, stride 4 in all."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, outputs, 7, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(F.relu_(self.conv1(x)), kernel_size=3, stride=2, padding=1)


class ResNeXt(nn.Module):
    """The bottom-up half: feature maps at strides 4, 8, 16 and 32."""

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        self.stem = Stem(config.stem_channels)
        inputs = config.stem_channels
        self._names = [f"res{2 + stage}" for stage in range(len(config.blocks))]
        self.channels: list[int] = []
        for stage, num_blocks in enumerate(config.blocks):
            outputs = config.res2_channels * 2**stage
            width = config.groups * config.width_per_group * 2**stage
            blocks = []
            for index in range(num_blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(Bottleneck(inputs, width, outputs, stride=stride, groups=config.groups))
                inputs = outputs
            self.add_module(self._names[stage], nn.Sequential(*blocks))
            self.channels.append(outputs)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.stem(x)
        features = []
        for name in self._names:
            x = self.get_submodule(name)(x)
            features.append(x)
        return features


class FeaturePyramid(nn.Module):
    """ResNeXt and FPN: five levels with the same channels at strides 4, 8, 16, 32 and 64 (p2 to p6)."""

    LEVELS = (2, 3, 4, 5)

    def __init__(self, config: Hands23Config) -> None:
        super().__init__()
        self.bottom_up = ResNeXt(config)
        for level, channels in zip(self.LEVELS, self.bottom_up.channels, strict=True):
            self.add_module(f"fpn_lateral{level}", nn.Conv2d(channels, config.fpn_channels, 1))
            self.add_module(f"fpn_output{level}", nn.Conv2d(config.fpn_channels, config.fpn_channels, 3, padding=1))

    @torch.no_grad()
    def fold_norms(self) -> None:
        """Merges every frozen norm into its convolution, in place and once weights are loaded, for inference only."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Computes p2 to p6.

        Args:
            x: normalised BGR image, [B, 3, H, W], H and W multiples of 32.

        Returns:
            Five maps [B, C, H / s, W / s] for s = 4, 8, 16, 32, 64 (the last rounded up).
        """
        pyramid: list[torch.Tensor] = []
        top_down = None
        for level, bottom_up in reversed(list(zip(self.LEVELS, self.bottom_up(x), strict=True))):
            lateral = getattr(self, f"fpn_lateral{level}")(bottom_up)
            if top_down is not None:
                lateral = lateral + F.interpolate(top_down, scale_factor=2.0, mode="nearest")
            top_down = lateral
            pyramid.insert(0, getattr(self, f"fpn_output{level}")(lateral))
        pyramid.append(F.max_pool2d(pyramid[-1], kernel_size=1, stride=2))
        return pyramid
