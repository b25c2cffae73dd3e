"""Sizes and thresholds of Hands23; the defaults are the published model and its demo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Hands23Config:
    """Architecture of the network. The defaults fit the published checkpoint (ResNeXt-101 32x8d with FPN)."""

    blocks: tuple[int, int, int, int] = (3, 4, 23, 3)
    """Bottleneck blocks in the stages res2 to res5."""
    groups: int = 32
    """Groups of the 3x3 convolutions."""
    width_per_group: int = 8
    """Channels per group in res2; doubled from stage to stage."""
    stem_channels: int = 64
    """Channels after the first convolution."""
    res2_channels: int = 256
    """Output channels of res2; doubled from stage to stage."""
    fpn_channels: int = 256
    """Channels of every pyramid level."""
    hidden_features: int = 1024
    """Width of the box head and of the four relation heads."""
    mask_channels: int = 256
    """Width of the mask head."""
    proposals_per_level: int = 1000
    """Anchors per pyramid level that reach non-maximum suppression."""
    max_proposals: int = 1000
    """Proposals per image that reach the box head."""
    max_detections: int = 40
    """Boxes per image, all classes together."""

    def __post_init__(self) -> None:
        _require_positive(self, [name for name in self.__dataclass_fields__ if name != "blocks"])
        if len(self.blocks) != 4 or min(self.blocks) < 1:
            raise ValueError(f"Hands23Config.blocks must be four positive counts, got {self.blocks}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hands23Thresholds:
    """What counts as a detection and as a relation. The defaults are those of the reference demo."""

    hand: float = 0.7
    """Lowest score of a hand box."""
    first_object: float = 0.5
    """Lowest score of the box of an object in contact with a hand."""
    second_object: float = 0.3
    """Lowest score of the box of an object in contact with a tool."""
    hand_relation: float = 0.3
    """Lowest probability of contact between a hand and its first object."""
    object_relation: float = 0.7
    """Lowest probability of contact between a first object and its second object."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"Hands23Thresholds.{name} must be a probability in [0, 1], got {value}")

    @property
    def per_class(self) -> tuple[float, float, float]:
        """Lowest scores in the order of the classes: hand, first object, second object."""
        return self.hand, self.first_object, self.second_object


@dataclass(frozen=True, kw_only=True, slots=True)
class Hands23InputSize:
    """How large an image enters the network. The defaults are detectron2's: 1080p enters as 1333 x 750."""

    short_side: int = 800
    """Length of the shorter side after resizing, pixels, unless the longer would exceed `max_side`."""
    max_side: int = 1333
    """Upper bound of the longer side, pixels."""

    def __post_init__(self) -> None:
        _require_positive(self, ["short_side", "max_side"])

    def resized_hw(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing, aspect ratio kept.

        Multiplies in detectron2's order, because the last bit can decide a rounding.
        """
        size = float(self.short_side)
        scale = size / min(height, width)
        resized = (size, scale * width) if height < width else (scale * height, size)
        if max(resized) > self.max_side:
            shrink = self.max_side / max(resized)
            resized = (resized[0] * shrink, resized[1] * shrink)
        return max(1, int(resized[0] + 0.5)), max(1, int(resized[1] + 0.5))


def _require_positive(config: object, names: list[str]) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise ValueError(f"{type(config).__name__}.{name} must be at least 1, got {getattr(config, name)}")
