"""Seeded random weights under which the network stays alive: several classes, boxes, sides, grasps and links.

Used by the debug detector and by the agreement tests with detectron2, for which the numbers must be the same on every
machine: NumPy's legacy generator guarantees its stream for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

GAINS = {
    "conv3.weight": 0.3,
    "objectness_logits.weight": 1.0,
    "anchor_deltas.weight": 0.05,
    "cls_score.weight": 0.6,
    "bbox_pred.weight": 0.2,
    "z_head.relation_layer.4.weight": 0.1,
}
"""Standard deviations relative to He's, by the end of the name. A small conv3 keeps the residual sums bounded; the
z head sees offsets in pixels, hundreds of times larger than its other inputs."""


def random_state_dict(shapes: Mapping[str, Sequence[int]], seed: int) -> dict[str, torch.Tensor]:
    """Draws weights and normalisation statistics, float32, for names and shapes like those of the checkpoint."""
    rng = np.random.RandomState(seed)
    return {name: torch.from_numpy(_draw(name, tuple(shapes[name]), rng)) for name in sorted(shapes)}


def _draw(name: str, shape: tuple[int, ...], rng: np.random.RandomState) -> np.ndarray:
    if name.endswith(("running_var", "norm.weight")):
        return rng.uniform(0.7, 1.3, shape).astype(np.float32)
    if len(shape) == 1:
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)
    inputs = tuple(range(1, len(shape)))
    weights = rng.standard_normal(shape)
    # Without their mean the filters ignore what all positions share, which would otherwise drown the differences.
    weights -= weights.mean(axis=inputs, keepdims=True)
    gain = next((gain for end, gain in GAINS.items() if name.endswith(end)), 1.0)
    return (gain * np.sqrt(2.0 / np.prod(shape[1:])) * weights).astype(np.float32)
