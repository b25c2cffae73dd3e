"""The relation heads of Hands23 and the feature of a pair of boxes.

Shapes: N boxes, P pairs, D features.
"""

from __future__ import annotations

import torch
from torch import nn

NUM_GEOMETRY_FEATURES = 9


class RelationHead(nn.Module):
    """Three fully connected layers, under the published name `relation_layer`."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.relation_layer = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.relation_layer(features)


def related_pairs(classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Lists the ordered pairs that may touch: (hand, first object) and (first object, second object).

    The reference scores all N x N pairs and discards the others.

    Args:
        classes: 0 hand, 1 first object, 2 second object; int64 [N].

    Returns:
        Indices of the first and of the second box of each pair, int64 [P] each.
    """
    source, target = classes[:, None], classes[None, :]
    first, second = ((source < 2) & (target == source + 1)).nonzero(as_tuple=True)
    return first, second


def pair_geometry(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Describes where each target box lies as seen from its source box.

    Args:
        source: boxes, float32 [P, 4], not empty.
        target: boxes, float32 [P, 4].

    Returns:
        float32 [P, 9]: offset of the centres (x, y), its length, the smaller and the larger signed distance of the
        target's two edges from the source's interval (each per axis, divided by the source's diagonal), and the unit
        offset. Distances are positive outside the interval; inside they are minus the distance to the *farther* end,
        as in the reference. The unit offset of concentric boxes is zero, where the reference yields NaN.
    """
    offset = ((target[:, :2] + target[:, 2:]) - (source[:, :2] + source[:, 2:])) / 2
    length = offset.norm(dim=1, keepdim=True)
    unit = torch.where(length > 0, offset / length, torch.zeros_like(offset))

    low, high = source[:, None, :2], source[:, None, 2:]
    edges = target.unflatten(1, (2, 2))
    below, above = low - edges, edges - high
    inside = (below <= 0) & (above <= 0)
    distance = torch.where(inside, torch.minimum(below, above), torch.maximum(below, above))
    distance = distance / (source[:, 2:] - source[:, :2]).norm(dim=1)[:, None, None]
    return torch.cat([offset, length, distance.amin(dim=1), distance.amax(dim=1), unit], dim=1)


def pair_features(
    features: torch.Tensor, boxes: torch.Tensor, pairs: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """Joins the features of both boxes of each pair with their geometry.

    Args:
        features: of each box, [N, D].
        boxes: float32 [N, 4], pixels of the input.
        pairs: indices of the first and of the second boxes, int64 [P] each.

    Returns:
        [P, 2 D + 9], in the dtype of `features`.
    """
    source, target = pairs
    geometry = pair_geometry(boxes[source], boxes[target])
    return torch.cat([features[source], features[target], geometry.to(features.dtype)], dim=1)
