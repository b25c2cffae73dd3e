"""From BEATs' hidden states to one pseudo-word of the CLIP text encoder (paper, section 4.1: AE_prj and AE_pool).

The paper names the projection and the attentive pooling without dimensions. They are those of its closest public
relative, ACL-SSL (Park et al., "Can CLIP Help Sound Source Localization?", 2024).

Shape suffixes: B batch, N audio tokens, D concatenated features, E token features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class AudioToken(nn.Module):
    """Projects audio tokens to the width of a text token and pools them to one.

    Args:
        in_dim: features per audio token, all levels of the audio encoder concatenated.
        token_dim: features of a text token.
        dropout: of the pooling score, while training.
    """

    def __init__(self, *, in_dim: int = 2304, token_dim: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        self.projection = nn.Sequential(nn.Linear(in_dim, in_dim), nn.GELU(), nn.Linear(in_dim, token_dim))
        self.pooling = AttentivePooling(token_dim, dropout=dropout)

    def forward(self, levels_BND: list[Tensor]) -> Tensor:
        """Takes the audio encoder's outputs at several depths and returns one token per clip, [B, E]."""
        return self.pooling(self.projection(torch.cat(levels_BND, dim=-1)))


class AttentivePooling(nn.Module):
    """Weighted sum over tokens, weighted by what each token is and by how much it resembles the others.

    The self-attending form of Factor Graph Attention (Schwartz et al., CVPR 2019) with one modality.
    """

    def __init__(self, dim: int, *, dropout: float) -> None:
        super().__init__()
        self.unary = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, 1))
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.mix = nn.Linear(2, 1, bias=False)

    def forward(self, x_BNE: Tensor) -> Tensor:
        """Pools over N. Returns [B, E]."""
        query_BNE = functional.normalize(self.query(x_BNE), dim=-1)
        key_BNE = functional.normalize(self.key(x_BNE), dim=-1)
        # The mean over keys of the similarities is the similarity to the mean key.
        pairwise_BN1 = query_BNE @ key_BNE.mean(dim=1).unsqueeze(-1)
        weight_BN1 = self.mix(torch.cat([self.unary(x_BNE), pairwise_BN1], dim=-1)).softmax(dim=1)
        return (weight_BN1 * x_BNE).sum(dim=1)
