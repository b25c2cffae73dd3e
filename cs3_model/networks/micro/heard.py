"""From sound to a map: the audio token of `micro` and the decoder that it conditions.

Shape suffixes: N windows, D embedding of the audio encoder, M materials, P features of a condition.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cs3_model.networks.micro.prompted import HeardDecoder, PromptEncoder
from cs3_model.networks.micro.vision import VisionConfig


class MicroAudioToken(nn.Module):
    """What the audio encoder heard as one more word of a prompt.

    Args:
        embedding_dim: D of the audio encoder.
        num_materials: M of the audio encoder.
        condition_dim: P.
    """

    def __init__(self, embedding_dim: int, num_materials: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embedding_dim)
        self.project = nn.Sequential(
            nn.Linear(embedding_dim + num_materials, 2 * condition_dim),
            nn.GELU(),
            nn.Linear(2 * condition_dim, condition_dim),
        )

    def forward(self, embedding_ND: Tensor, material_logits_NM: Tensor) -> Tensor:
        """Returns the token [N, P]."""
        return self.project(torch.cat([self.norm(embedding_ND), material_logits_NM.sigmoid()], 1))


class MicroHeard(nn.Module):
    """All weights between what was seen and heard, and the map: token and decoder.

    Args:
        vision: sizes of the vision network.
        embedding_dim: D of the audio encoder.
        num_materials: M of the audio encoder.
    """

    def __init__(self, vision: VisionConfig, embedding_dim: int, num_materials: int) -> None:
        super().__init__()
        self.token = MicroAudioToken(embedding_dim, num_materials, vision.condition_dim)
        self.decoder = HeardDecoder(vision.feature_dim, vision.condition_dim)

    def condition(self, prompt: PromptEncoder, embedding_ND: Tensor, material_logits_NM: Tensor) -> Tensor:
        """The condition of a sound [N, P], through the text side that words take as well."""
        return prompt.from_embedding(self.token(embedding_ND, material_logits_NM))
