"""Losses of the vision stage, against values that can be computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.micro.vision.vision_losses import point_box_loss, region_loss


def logits_of(maps: list[list[list[float]]]) -> torch.Tensor:
    return torch.tensor([maps], requires_grad=True)


def test_objects_count_alike_whatever_their_size() -> None:
    """Three pixels of object 1 with label 0 and one pixel of object 2 with label 1; label 0 of the maps is no object."""
    ids = torch.tensor([[[1, 1], [1, 2]]], dtype=torch.uint8)
    logits = logits_of([[[9.0, 9.0], [9.0, 9.0]], [[1.0, 2.0], [3.0, 0.0]], [[0.0, 0.0], [0.0, 5.0]]])
    labels = torch.tensor([[-1, 0, 1]])
    wanted = (math.log(1 + math.exp(-2.0)) + math.log(1 + math.exp(-5.0))) / 2
    assert float(region_loss(logits, ids, labels)) == pytest.approx(wanted)


@pytest.mark.parametrize(("ids", "labels"), [([[0, 0], [0, 0]], [-1, 0, 1]), ([[1, 1], [1, 1]], [-1, -1, 1])])
def test_where_no_labelled_object_is_seen_the_loss_is_zero_and_has_a_gradient(ids, labels) -> None:
    logits = logits_of([[[1.0, 2.0], [3.0, 4.0]]] * 3)
    loss = region_loss(logits, torch.tensor([ids], dtype=torch.uint8), torch.tensor([labels]))
    loss.backward()
    assert float(loss) == 0.0 and not logits.grad.any()


def test_points_of_large_and_small_objects_count_alike() -> None:
    """Object 1 has three features, each with its true box; object 2 has one, with a box beside the true one; 3 is not
    asked for. GIoU of two boxes of 2 x 2 that touch at an edge: 0."""
    ids = torch.tensor([[[1, 1, 3], [1, 2, 3]]], dtype=torch.uint8)
    truth = torch.tensor([[[0.0] * 4, [0, 0, 2, 2], [4, 4, 6, 6], [0, 0, 9, 9]]])
    asked = torch.tensor([[False, True, True, False]])
    boxes = truth[0][ids[0].long()].permute(2, 0, 1)[None].clone()
    assert float(point_box_loss(boxes, ids, truth, asked)) == pytest.approx(0.0, abs=1e-6)
    boxes[0, :, 1, 1] = torch.tensor([2.0, 4, 4, 6])
    boxes[0, :, :, 2] = 5.0
    assert float(point_box_loss(boxes, ids, truth, asked)) == pytest.approx(0.5)


def test_where_nothing_is_asked_for_points_have_no_loss_but_a_gradient() -> None:
    boxes = torch.ones(1, 4, 2, 2, requires_grad=True)
    loss = point_box_loss(boxes, torch.ones(1, 2, 2, dtype=torch.uint8), torch.ones(1, 2, 4), torch.zeros(1, 2) > 0)
    loss.backward()
    assert float(loss) == 0.0 and not boxes.grad.any()
