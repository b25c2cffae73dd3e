"""Self-attention of BEATs: a T5-style relative position bias whose strength a gate sets from the query.

Shape suffixes: B batch, N tokens, D features, H heads, d features of one head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def relative_position_buckets(num_tokens: int, *, num_buckets: int, max_distance: int) -> Tensor:
    """Maps the offset of every key from every query to a bucket of the position embedding.

    Half of the buckets are for keys behind the query, half for keys ahead. In each half, offsets below a quarter of
    ``num_buckets`` have a bucket each; larger ones share buckets that widen logarithmically up to ``max_distance``.

    Returns:
        int64 [N, N], query by key, on the CPU.
    """
    position = torch.arange(num_tokens)
    offset_NN = position[None, :] - position[:, None]
    per_side = num_buckets // 2
    num_exact = per_side // 2
    distance_NN = offset_NN.abs()
    # In float32 and in this order of operations, because a bucket's edge depends on the rounding.
    logarithmic_NN = torch.log(distance_NN.float().clamp(min=1) / num_exact) / math.log(max_distance / num_exact)
    far_NN = (num_exact + (logarithmic_NN * (per_side - num_exact)).long()).clamp(max=per_side - 1)
    return (offset_NN > 0) * per_side + torch.where(distance_NN < num_exact, distance_NN, far_NN)


class GatedRelativeAttention(nn.Module):
    """Multi-head self-attention with a gated relative position bias.

    Args:
        dim: features per token.
        num_heads: attention heads.
        position_embedding: bias of every bucket and head, [num_buckets, num_heads]. One module serves all layers;
            each layer holds it under its own name, as the published checkpoints do.
    """

    def __init__(self, dim: int, num_heads: int, position_embedding: nn.Embedding) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.relative_attention_bias = position_embedding
        self.grep_linear = nn.Linear(dim // num_heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, num_heads, 1, 1))

    def forward(self, x_BND: Tensor, position_bias_HNN: Tensor) -> Tensor:
        """Attends over all tokens. Returns [B, N, D]."""
        q_BHNd, k_BHNd, v_BHNd = (
            projection(x_BND).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        bias_BHNN = self._gate(q_BHNd) * position_bias_HNN
        # The original divides q by 32 and multiplies back after subtracting the row's maximum, for half precision.
        # Softmax does not change by it, and scaled_dot_product_attention accumulates in float32 anyway.
        attended_BHNd = functional.scaled_dot_product_attention(q_BHNd, k_BHNd, v_BHNd, attn_mask=bias_BHNN)
        return self.out_proj(attended_BHNd.transpose(1, 2).flatten(2))

    def _gate(self, q_BHNd: Tensor) -> Tensor:
        """Strength of the position bias for every query, [B, H, N, 1], from the query before scaling."""
        gates_BHN2 = torch.sigmoid(self.grep_linear(q_BHNd).unflatten(-1, (2, 4)).sum(-1))
        update_BHN1, reset_BHN1 = gates_BHN2.chunk(2, dim=-1)
        return update_BHN1 * (reset_BHN1 * self.grep_a - 1.0) + 2.0
