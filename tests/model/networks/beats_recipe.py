"""A random BEATs checkpoint and a synthetic impact, the same on every machine, for comparison across implementations.

Needs NumPy only, so that it runs beside any implementation. The shapes are an argument because the other
implementation, not this project, has to provide them when golden values are made.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

PUBLISHED_CFG = {
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "encoder_layerdrop": 0.05,
    "dropout_input": 0.0,
    "embed_dim": 512,
    "input_patch_size": 16,
    "conv_bias": False,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "relative_position_embedding": True,
    "num_buckets": 320,
    "max_distance": 800,
    "gru_rel_pos": True,
    "layer_wise_gradient_decay_ratio": 0.6,
    "finetuned_model": True,
    "predictor_dropout": 0.0,
    "predictor_class": 527,
}
"""Settings in the published ``BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt``."""

SMALL_CFG = PUBLISHED_CFG | {
    "encoder_layers": 4,
    "encoder_embed_dim": 96,
    "encoder_ffn_embed_dim": 192,
    "encoder_attention_heads": 4,
    "embed_dim": 64,
    "predictor_class": 16,
}


def random_state_dict(shapes: Mapping[str, tuple[int, ...]], *, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Draws every tensor, in the order of the names, at a scale where attention, gate and biases all matter."""
    state = {}
    for index, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        noise = np.random.default_rng([seed, index]).standard_normal(shape, dtype=np.float32)
        if name.endswith(("weight_g", "grep_a")) or "norm.weight" in name:
            state[name] = 1 + 0.1 * noise
        elif name.endswith("bias"):
            state[name] = 0.1 * noise
        elif name.endswith("relative_attention_bias.weight"):
            state[name] = noise
        else:
            state[name] = noise / np.sqrt(np.prod(shape[1:], dtype=np.float32))
    shared = state["encoder.layers.0.self_attn.relative_attention_bias.weight"]
    for name in state:
        if name.endswith("relative_attention_bias.weight"):
            state[name] = shared
    return state


def impact(*, seconds: float, seed: int) -> npt.NDArray[np.float32]:
    """Synthesises a struck object at 16 kHz, float32 [T] in [-1, 1]: three decaying tones and a burst of noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * 16_000)) / 16_000
    decay = np.where(time_s >= seconds / 3, np.exp(-12 * (time_s - seconds / 3).clip(min=0)), 0)
    tones = sum(np.sin(2 * np.pi * frequency * time_s) for frequency in (640.0, 1710.0, 3350.0))
    noise = rng.standard_normal(time_s.size)
    return (0.15 * decay * tones + 0.1 * decay**4 * noise + 0.003 * noise).clip(-1, 1).astype(np.float32)
