"""Box regression, clipping and suppression with detectron2's conventions.

Shapes: N boxes, K classes. Boxes are (x_min, y_min, x_max, y_max) in pixels of the network's input.
"""

from __future__ import annotations

import math

import torch

MAX_LOG_SCALE = math.log(1000.0 / 16)
"""Predicted boxes are at most 62.5 times as long as the box they start from."""


def decode_boxes(deltas: torch.Tensor, boxes: torch.Tensor, weights: tuple[float, float, float, float]) -> torch.Tensor:
    """Moves and scales each box by its predicted deltas.

    Args:
        deltas: (dx, dy, log dw, log dh) times `weights`, float [N, K, 4].
        boxes: float [N, 4].
        weights: what the deltas were multiplied with in training.

    Returns:
        float32 [N, K, 4], not clipped.
    """
    deltas = deltas.float() / deltas.new_tensor(weights, dtype=torch.float32)
    boxes = boxes.float()[:, None]
    size = boxes[..., 2:] - boxes[..., :2]
    centre = boxes[..., :2] + 0.5 * size
    new_centre = centre + deltas[..., :2] * size
    new_size = size * deltas[..., 2:].clamp(max=MAX_LOG_SCALE).exp()
    return torch.cat([new_centre - 0.5 * new_size, new_centre + 0.5 * new_size], dim=-1)


def clip_boxes(boxes: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
    """Clips boxes [..., 4] to an image of that height and width."""
    height, width = size_hw
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def is_nonempty(boxes: torch.Tensor) -> torch.Tensor:
    """True for boxes [N, 4] with a positive width and height; bool [N]."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
