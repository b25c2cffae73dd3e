"""All that `micro` sees with: the tower and its heads, in one set of weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from cs3_model.networks.micro.boxed import BoxMaskHead
from cs3_model.networks.micro.held import HeldHead
from cs3_model.networks.micro.pointed import PointBoxHead
from cs3_model.networks.micro.prompted import PromptDecoder, PromptEncoder
from cs3_model.networks.micro.tower import VisionTower
from cs3_model.networks.micro.vocabulary import CLASSES, MATERIALS


@dataclass(frozen=True, kw_only=True, slots=True)
class VisionConfig:
    """Sizes of the vision network.

    Raises:
        ValueError: if the side is not a multiple of 32, or widths and depths do not match.
    """

    side: int = 224
    """Rows and columns of the square that images are placed in."""
    widths: tuple[int, ...] = (32, 64, 160, 256)
    """Channels at strides 4, 8, 16 and 32."""
    depths: tuple[int, ...] = (1, 2, 3, 2)
    """Residual blocks at these strides."""
    feature_dim: int = 64
    """Channels of the tower's result."""
    condition_dim: int = 96
    """Length of a condition."""

    def __post_init__(self) -> None:
        if self.side % 32 or self.side <= 0:
            raise ValueError(f"VisionConfig.side must be a multiple of 32, got {self.side}")
        if len(self.widths) != 4 or len(self.depths) != 4:
            raise ValueError(f"VisionConfig.widths and .depths need 4 numbers, got {self.widths} and {self.depths}")


DEBUG_VISION = VisionConfig(side=64, widths=(8, 8, 8, 8), depths=(1, 1, 1, 1), feature_dim=8, condition_dim=8)
"""For tests."""


class MicroVision(nn.Module):
    """The tower with its heads.

    Args:
        config: sizes.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.tower = VisionTower(config.widths, config.depths, config.feature_dim)
        self.prompt = PromptEncoder(config.condition_dim)
        self.decoder = PromptDecoder(config.feature_dim, config.condition_dim)
        self.held = HeldHead(config.feature_dim)
        self.boxed = BoxMaskHead(config.feature_dim)
        self.pointed = PointBoxHead(config.feature_dim)
        self.labels = nn.Conv2d(config.feature_dim, NUM_MATERIAL_LABELS + NUM_CLASS_LABELS, 1)

    def dense_labels(self, features_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of material and class of every feature; label 0 is no object, the last class the table."""
        materials, classes = self.labels(features_NCHW).split([NUM_MATERIAL_LABELS, NUM_CLASS_LABELS], 1)
        return materials, classes


NUM_MATERIAL_LABELS = 1 + len(MATERIALS)
NUM_CLASS_LABELS = 1 + len(CLASSES) + 1
