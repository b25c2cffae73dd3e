"""Self-attention of BEATs: a T5-style relative position bias whose strength a gate sets from the query.

Shape suffixes: B batch, N tokens, D features, H heads, d features of one head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def distance_buckets(*, num_buckets: int, max_distance: int) -> Tensor:
    """Maps distances between tokens to buckets of the position embedding.

    Half of the buckets are for keys behind the query, half for keys ahead. In each half, distances below a quarter of
    ``num_buckets`` have a bucket each; larger ones share buckets that widen logarithmically up to ``max_distance``.

    Returns:
        Bucket of every distance from 0 to ``max_distance``, int64, for keys behind the query.
    """
    per_side = num_buckets // 2
    num_exact = per_side // 2
    distance = torch.arange(max_distance + 1)
    # In float32 and in this order of operations, because a bucket's edge depends on the rounding. For the same reason
    # this is a table made on the CPU and not a computation on the device.
    logarithmic = torch.log(distance.float().clamp(min=1) / num_exact) / math.log(max_distance / num_exact)
    far = (num_exact + (logarithmic * (per_side - num_exact)).long()).clamp(max=per_side - 1)
    return torch.where(distance < num_exact, distance, far)


def relative_position_buckets(num_tokens: int, bucket_of_distance: Tensor, *, num_buckets: int) -> Tensor:
    """Returns the bucket of every key for every query, int64 [N, N], query by key, on the table's device."""
    position = torch.arange(num_tokens, device=bucket_of_distance.device)
    offset_NN = position[None, :] - position[:, None]
    distance_NN = offset_NN.abs().clamp(max=len(bucket_of_distance) - 1)
    return bucket_of_distance[distance_NN] + (offset_NN > 0) * (num_buckets // 2)


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
