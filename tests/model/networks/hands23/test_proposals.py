from __future__ import annotations

import torch

from cs3_model.networks.hands23.detector import DEBUG_CONFIG
from cs3_model.networks.hands23.proposals import ProposalGenerator, grid_anchors


def test_anchors_are_not_rounded_and_start_at_the_corner() -> None:
    anchors = grid_anchors((2, 3), stride=4, side=32, device=torch.device("cpu"))
    assert anchors.shape == (2 * 3 * 3, 4)
    half_width, half_height = 32 * 2**0.5 / 2, 32 / 2**0.5 / 2
    torch.testing.assert_close(anchors[0], torch.tensor([-half_width, -half_height, half_width, half_height]))
    torch.testing.assert_close(anchors[1], torch.tensor([-16.0, -16.0, 16.0, 16.0]))
    torch.testing.assert_close(anchors[2], torch.tensor([-half_height, -half_width, half_height, half_width]))


def test_anchors_run_over_ratios_then_x_then_y() -> None:
    anchors = grid_anchors((2, 3), stride=4, side=32, device=torch.device("cpu"))
    torch.testing.assert_close(anchors[3] - anchors[0], torch.tensor([4.0, 0.0, 4.0, 0.0]))
    torch.testing.assert_close(anchors[9] - anchors[0], torch.tensor([0.0, 4.0, 0.0, 4.0]))


def test_features_that_are_not_finite_yield_no_proposals_rather_than_a_crash() -> None:
    generator = ProposalGenerator(DEBUG_CONFIG)
    pyramid = [torch.full((1, DEBUG_CONFIG.fpn_channels, side, side), torch.nan) for side in (16, 8, 4, 2, 1)]
    boxes, objectness = generator(pyramid, (64, 64))
    assert boxes.shape == (0, 4) and objectness.shape == (0,)
