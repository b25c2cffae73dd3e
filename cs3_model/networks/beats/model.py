"""The BEATs encoder, with the parameter names and shapes of the published checkpoints.

Shape suffixes: B batch, F spectrogram frames, M mel bins, N tokens, D features, H heads, C classes.
Left out because published configurations or fine-tuning have no use for them: dropout (0 in the checkpoints), layer
drop (leaves unused parameters under distributed training), layer-wise gradient decay (Adam cancels it), pre-norm blocks
and padding masks (CS3 windows have one length and hold real sound throughout).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cs3_model.networks.beats.attention import GatedRelativeAttention, distance_buckets, relative_position_buckets
from cs3_model.networks.beats.log_mel import PATCH_FRAMES

_FIXED_CFG = {
    "input_patch_size": PATCH_FRAMES,
    "conv_bias": False,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
}
"""Settings of a checkpoint's ``cfg`` that this implementation has built in."""

_SIZE_CFG = {
    "encoder_layers": "num_layers",
    "encoder_embed_dim": "dim",
    "encoder_ffn_embed_dim": "ffn_dim",
    "encoder_attention_heads": "num_heads",
    "embed_dim": "patch_dim",
    "conv_pos": "conv_pos",
    "conv_pos_groups": "conv_pos_groups",
    "num_buckets": "num_buckets",
    "max_distance": "max_distance",
}
"""Settings of a checkpoint's ``cfg`` and the arguments of `BEATs` that they become."""


class BEATs(nn.Module):
    """Transformer over 16x16 patches of a log-mel spectrogram.

    The defaults are the configuration of ``BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2`` (90.7 M parameters).

    Args:
        num_layers: transformer blocks.
        dim: features per token.
        ffn_dim: hidden features of a block's MLP.
        num_heads: attention heads; divides ``dim``.
        patch_dim: features of the patch embedding before it is projected to ``dim``.
        conv_pos: kernel of the positional convolution, tokens.
        conv_pos_groups: its groups.
        num_buckets: buckets of the relative position bias.
        max_distance: offset in tokens beyond which all positions share a bucket.
        num_classes: AudioSet classes of the tagging head; None builds no head.
    """

    def __init__(
        self,
        *,
        num_layers: int = 12,
        dim: int = 768,
        ffn_dim: int = 3072,
        num_heads: int = 12,
        patch_dim: int = 512,
        conv_pos: int = 128,
        conv_pos_groups: int = 16,
        num_buckets: int = 320,
        max_distance: int = 800,
        num_classes: int | None = 527,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.patch_embedding = nn.Conv2d(1, patch_dim, kernel_size=PATCH_FRAMES, stride=PATCH_FRAMES, bias=False)
        self.layer_norm = nn.LayerNorm(patch_dim)
        self.post_extract_proj = nn.Linear(patch_dim, dim)
        self.encoder = _Encoder(
            num_layers, dim, ffn_dim, num_heads, conv_pos, conv_pos_groups, num_buckets, max_distance
        )
        self.predictor = None if num_classes is None else nn.Linear(dim, num_classes)

    @classmethod
    def from_checkpoint(cls, checkpoint: Mapping[str, Any]) -> BEATs:
        """Builds the network that a published checkpoint describes and loads its weights, strictly.

        Args:
            checkpoint: the content of a published ``.pt`` file: ``cfg`` (settings), ``model`` (state dict) and, if
                fine-tuned, ``label_dict``.

        Raises:
            ValueError: if entries are missing, ``cfg`` asks for an unsupported variant, or the tensors do not fit it.
        """
        if not {"cfg", "model"} <= checkpoint.keys():
            raise ValueError(f"a BEATs checkpoint holds 'cfg' and 'model', this one holds {sorted(checkpoint)}")
        cfg = checkpoint["cfg"]
        for key, supported in _FIXED_CFG.items():
            if cfg.get(key) != supported:
                raise ValueError(f"BEATs cfg.{key} must be {supported!r}, got {cfg.get(key)!r}: unsupported variant")
        missing = sorted(_SIZE_CFG.keys() - cfg.keys())
        if missing:
            raise ValueError(f"the cfg of this BEATs checkpoint lacks {missing}")
        sizes = {argument: cfg[key] for key, argument in _SIZE_CFG.items()}
        network = cls(**sizes, num_classes=cfg["predictor_class"] if cfg.get("finetuned_model") else None)
        try:
            network.load_state_dict(checkpoint["model"], strict=True)
        except RuntimeError as error:
            raise ValueError(f"the tensors of this BEATs checkpoint do not fit its cfg: {error}") from error
        return network

    def forward(self, log_mel_BFM: Tensor, *, blocks: Sequence[int]) -> list[Tensor]:
        """Encodes spectrograms; blocks after the last one asked for are not computed.

        Args:
            log_mel_BFM: output of `cs3_model.networks.beats.log_mel`, at least 16 frames. A rest of less than 16 frames
                is ignored, as in the original.
            blocks: zero-based block indices, rising.

        Returns:
            For each index, the output of that block, [B, N, D] with N = 8 * (F // 16), time-major.
        """
        features_BDFM = self.patch_embedding(log_mel_BFM.to(self.patch_embedding.weight.dtype).unsqueeze(1))
        patches_BND = self.layer_norm(features_BDFM.flatten(2).transpose(1, 2))
        return self.encoder(self.post_extract_proj(patches_BND), blocks)

    def tag(self, log_mel_BFM: Tensor) -> Tensor:
        """Returns AudioSet probabilities in (0, 1), [B, C], by the fine-tuned head: logits are averaged over tokens."""
        assert self.predictor is not None, "this BEATs was built without a tagging head"
        (last_BND,) = self(log_mel_BFM, blocks=[len(self.encoder.layers) - 1])
        return torch.sigmoid(self.predictor(last_BND).mean(dim=1))


class _Encoder(nn.Module):
    bucket_of_distance: Tensor

    def __init__(
        self,
        num_layers: int,
        dim: int,
        ffn_dim: int,
        num_heads: int,
        conv_pos: int,
        conv_pos_groups: int,
        num_buckets: int,
        max_distance: int,
    ) -> None:
        super().__init__()
        self.num_buckets = num_buckets
        self.register_buffer(
            "bucket_of_distance",
            distance_buckets(num_buckets=num_buckets, max_distance=max_distance),
            persistent=False,  # not part of a checkpoint
        )
        # A sequence of one, so that the parameters are called pos_conv.0.* as published.
        self.pos_conv = nn.Sequential(_WeightNormConv1d(dim, kernel_size=conv_pos, groups=conv_pos_groups))
        self.layer_norm = nn.LayerNorm(dim)
        position_embedding = nn.Embedding(num_buckets, num_heads)
        residual_scale = (2 * num_layers) ** 0.25  # DeepNorm (Wang et al., 2022)
        self.layers = nn.ModuleList(
            _Block(dim, ffn_dim, residual_scale, GatedRelativeAttention(dim, num_heads, position_embedding))
            for _ in range(num_layers)
        )

    def forward(self, x_BND: Tensor, blocks: Sequence[int]) -> list[Tensor]:
        positional_BDN = self.pos_conv(x_BND.transpose(1, 2))[..., : x_BND.shape[1]]  # an even kernel gives one more
        x_BND = self.layer_norm(x_BND + functional.gelu(positional_BDN).transpose(1, 2))
        bias_HNN = self._position_bias(x_BND.shape[1])
        outputs = []
        for index, layer in enumerate(self.layers[: max(blocks) + 1]):
            x_BND = layer(x_BND, bias_HNN)
            if index in blocks:
                outputs.append(x_BND)
        return outputs

    def _position_bias(self, num_tokens: int) -> Tensor:
        embedding = self.get_submodule("layers.0.self_attn.relative_attention_bias")
        buckets_NN = relative_position_buckets(num_tokens, self.bucket_of_distance, num_buckets=self.num_buckets)
        bias_NNH: Tensor = embedding(buckets_NN)
        return bias_NNH.permute(2, 0, 1)


class _Block(nn.Module):
    """Post-norm transformer block with DeepNorm's enlarged residual."""

    def __init__(self, dim: int, ffn_dim: int, residual_scale: float, attention: GatedRelativeAttention) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.self_attn = attention
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, x_BND: Tensor, position_bias_HNN: Tensor) -> Tensor:
        x_BND = self.self_attn_layer_norm(self.residual_scale * x_BND + self.self_attn(x_BND, position_bias_HNN))
        return self.final_layer_norm(self.residual_scale * x_BND + self.fc2(functional.gelu(self.fc1(x_BND))))


class _WeightNormConv1d(nn.Module):
    """Grouped convolution whose weight has one norm per kernel position (``weight_norm`` with ``dim=2``).

    Written out because torch's own parametrisation renames the parameters (``parametrizations.weight.original0``) and
    its older form cannot be deep-copied.
    """

    def __init__(self, dim: int, *, kernel_size: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.bias = nn.Parameter(torch.zeros(dim))
        self.weight_v = nn.Parameter(torch.randn(dim, dim // groups, kernel_size) * (4 / (kernel_size * dim)) ** 0.5)
        self.weight_g = nn.Parameter(self.weight_v.detach().norm(dim=(0, 1), keepdim=True))

    def forward(self, x_BDN: Tensor) -> Tensor:
        weight = torch._weight_norm(self.weight_v, self.weight_g, 2)  # fused; what torch's parametrisation calls
        return functional.conv1d(x_BDN, weight, self.bias, padding=weight.shape[-1] // 2, groups=self.groups)
