from __future__ import annotations

import torch

from cs3_model.networks.hands23.relations import pair_features, pair_geometry, related_pairs


def test_only_hands_and_first_then_first_and_second_objects_are_paired() -> None:
    source, target = related_pairs(torch.tensor([0, 2, 1, 0]))
    assert list(zip(source.tolist(), target.tolist(), strict=True)) == [(0, 2), (2, 1), (3, 2)]


def test_geometry_of_a_box_beside_another() -> None:
    """Source 30 x 40 (diagonal 50); target to its right, within its height."""
    geometry = pair_geometry(torch.tensor([[0.0, 0.0, 30.0, 40.0]]), torch.tensor([[40.0, 10.0, 60.0, 30.0]]))
    offset = [35.0, 0.0]
    smallest = [10 / 50, -30 / 50]
    largest = [30 / 50, -30 / 50]
    torch.testing.assert_close(geometry, torch.tensor([[*offset, 35.0, *smallest, *largest, 1.0, 0.0]]))


def test_inside_the_interval_the_distance_is_that_to_the_farther_end() -> None:
    geometry = pair_geometry(torch.tensor([[0.0, 0.0, 30.0, 40.0]]), torch.tensor([[3.0, 4.0, 27.0, 50.0]]))
    torch.testing.assert_close(geometry[0, 3:7], torch.tensor([-27 / 50, -36 / 50, -27 / 50, 10 / 50]))


def test_concentric_boxes_have_no_direction_instead_of_nan() -> None:
    box = torch.tensor([[10.0, 10.0, 20.0, 30.0]])
    geometry = pair_geometry(box, box)
    assert geometry.isfinite().all()
    assert geometry[0, 7:].tolist() == [0.0, 0.0]


def test_a_pair_is_described_by_source_then_target_then_geometry() -> None:
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    boxes = torch.tensor([[0.0, 0.0, 30.0, 40.0], [40.0, 10.0, 60.0, 30.0]])
    pair = pair_features(features, boxes, (torch.tensor([1]), torch.tensor([0])))
    assert pair.shape == (1, 2 * 2 + 9)
    assert pair[0, :6].tolist() == [3.0, 4.0, 1.0, 2.0, -35.0, 0.0]
