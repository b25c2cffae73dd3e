from __future__ import annotations

import math

import torch

from cs3_model.networks.hands23.boxes import clip_boxes, decode_boxes, is_nonempty


def test_deltas_move_by_fractions_of_the_size_and_scale_exponentially() -> None:
    box = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    deltas = torch.tensor([[[1.0, 2.0, 5 * math.log(2), 0.0]]])
    decoded = decode_boxes(deltas, box, (10.0, 10.0, 5.0, 5.0))
    torch.testing.assert_close(decoded, torch.tensor([[[2.0, 28.0, 42.0, 68.0]]]))


def test_growth_is_bounded() -> None:
    decoded = decode_boxes(torch.full((1, 1, 4), 100.0), torch.tensor([[0.0, 0.0, 16.0, 16.0]]), (1.0,) * 4)
    torch.testing.assert_close(decoded[0, 0, 2:] - decoded[0, 0, :2], torch.tensor([1000.0, 1000.0]))


def test_clipping_takes_height_before_width() -> None:
    clipped = clip_boxes(torch.tensor([[-5.0, -5.0, 500.0, 500.0]]), (100, 200))
    assert clipped.tolist() == [[0.0, 0.0, 200.0, 100.0]]


def test_boxes_without_width_or_height_are_empty() -> None:
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 2.0, 1.0, 1.0]])
    assert is_nonempty(boxes).tolist() == [True, False, False]
