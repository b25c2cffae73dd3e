"""Segmentation by prompt: CLIPSeg's counterpart. A condition, from words or from sound, modulates a light decoder.

Shape suffixes: N images, Q conditions per image, L words, P features of a condition, C channels, H and W of features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs3_model.networks.micro.tower import conv_norm, fill_bias
from cs3_model.networks.micro.vocabulary import PAD, WORDS


class PromptEncoder(nn.Module):
    """Words to a condition. A sound takes part as the embedding of one more word.

    Args:
        condition_dim: P.
    """

    def __init__(self, condition_dim: int) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS) + 1, condition_dim, padding_idx=PAD)
        self.mix = nn.Sequential(
            nn.Linear(condition_dim, 2 * condition_dim), nn.GELU(), nn.Linear(2 * condition_dim, condition_dim)
        )

    def forward(self, words: Tensor) -> Tensor:
        """Takes indices of words [..., L]; returns unit vectors [..., P]."""
        return self.from_embedding(self.words(words).sum(-2))

    def from_embedding(self, embedding: Tensor) -> Tensor:
        """The same for a sum of word embeddings, or for the token of a sound, [..., P]."""
        return F.normalize(self.mix(embedding), dim=-1)


class PromptDecoder(nn.Module):
    """Features and conditions to logits at twice the resolution of the features.

    The modulation acts on each feature vector alone, so that many conditions per image are cheap; the tower has
    gathered the context before.

    Args:
        feature_dim: C.
        condition_dim: P.
    """

    def __init__(self, feature_dim: int, condition_dim: int) -> None:
        super().__init__()
        self.film = nn.ModuleList(nn.Linear(condition_dim, 2 * feature_dim) for _ in range(2))
        self.hidden = nn.ModuleList(nn.Linear(feature_dim, feature_dim) for _ in range(2))
        self.out = nn.Linear(feature_dim, 4)
        fill_bias(self.out, -2.0)

    def forward(self, features_NCHW: Tensor, conditions_NQP: Tensor) -> Tensor:
        """Returns logits [N, Q, 2 H, 2 W]."""
        num_images, _, height, width = features_NCHW.shape
        x = features_NCHW.flatten(2).transpose(1, 2).unsqueeze(1)  # [N, 1, H W, C]
        for film, hidden in zip(self.film, self.hidden, strict=True):
            scale, shift = (4.0 * film(conditions_NQP)).unsqueeze(2).chunk(2, dim=-1)
            x = F.relu(hidden(x) * (1.0 + scale) + shift)
        grid = self.out(x).transpose(2, 3).reshape(-1, 4, height, width)
        return F.pixel_shuffle(grid, 2).view(num_images, -1, 2 * height, 2 * width)


class HeardDecoder(nn.Module):
    """Features and the condition of a sound to logits at twice their resolution.

    What a sound points at depends on what is near what, so that this decoder, unlike `PromptDecoder`, looks around:
    residual blocks at half the resolution, each modulated by the condition.

    Args:
        feature_dim: C.
        condition_dim: P.
        num_blocks: residual blocks.
    """

    def __init__(self, feature_dim: int, condition_dim: int, num_blocks: int = 3) -> None:
        super().__init__()
        self.film = nn.ModuleList(nn.Linear(condition_dim, 2 * feature_dim) for _ in range(num_blocks))
        self.first = nn.ModuleList(conv_norm(feature_dim, feature_dim) for _ in range(num_blocks))
        self.second = nn.ModuleList(conv_norm(feature_dim, feature_dim) for _ in range(num_blocks))
        self.near = nn.Conv2d(2 * feature_dim, feature_dim, 1)
        self.out = nn.Conv2d(feature_dim, 4, 1)
        fill_bias(self.out, -2.0)

    def forward(self, features_NCHW: Tensor, condition_NP: Tensor) -> Tensor:
        """Returns logits [N, 1, 2 H, 2 W]."""
        x = F.avg_pool2d(features_NCHW, 2)
        for film, first, second in zip(self.film, self.first, self.second, strict=True):
            scale, shift = (4.0 * film(condition_NP))[..., None, None].chunk(2, dim=1)
            x = F.relu(x + second(F.relu(first(x) * (1.0 + scale) + shift)))
        x = torch.cat([F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False), features_NCHW], 1)
        return F.pixel_shuffle(self.out(F.relu(self.near(x))), 2)
