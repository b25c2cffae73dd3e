from __future__ import annotations

import pytest
import torch

from cs3_model.networks.hands23.detector import DEBUG_CONFIG
from cs3_model.networks.hands23.roi_heads import RoIHeads, assign_levels, pool_boxes


def pyramid_of(*values: float, channels: int = 1) -> list[torch.Tensor]:
    return [torch.full((1, channels, 512 >> level, 512 >> level), float(value)) for level, value in enumerate(values)]


def test_a_box_of_224_pixels_belongs_to_p4_and_the_outermost_levels_take_the_rest() -> None:
    sides = torch.tensor([0.0, 20.0, 111.9, 112.0, 223.0, 224.1, 447.0, 448.1, 5000.0])
    boxes = torch.stack([torch.zeros(9), torch.zeros(9), sides, sides], dim=1)
    assert assign_levels(boxes).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_each_box_is_pooled_from_its_own_level() -> None:
    boxes = torch.tensor([[0.0, 0.0, 500.0, 500.0], [0.0, 0.0, 50.0, 50.0], [0.0, 0.0, 120.0, 120.0]])
    pooled = pool_boxes(pyramid_of(2.0, 3.0, 4.0, 5.0), boxes)
    assert pooled.shape == (3, 1, 7, 7)
    assert [pooled[i].unique().tolist() for i in range(3)] == [[5.0], [2.0], [3.0]]


def test_pooling_samples_the_centres_of_cells() -> None:
    """On a ramp over x, a box of 28 pixels at stride 4 has cells one position wide, centred half a pixel off."""
    ramp = torch.arange(512.0).expand(1, 1, 512, 512)
    pooled = pool_boxes([ramp, *pyramid_of(0.0, 0.0, 0.0, 0.0)[1:]], torch.tensor([[40.0, 40.0, 68.0, 68.0]]))
    torch.testing.assert_close(pooled[0, 0, 0], torch.arange(10.0, 17.0))


def heads_with_scores(logits: list[float]) -> RoIHeads:
    """Heads that give every proposal the same class logits (hand, first, second, background) and leave its box."""
    heads = RoIHeads(DEBUG_CONFIG)
    with torch.no_grad():
        for parameter in heads.box_predictor.parameters():
            parameter.zero_()
        heads.box_predictor.cls_score.bias.copy_(torch.tensor(logits))
    return heads


@torch.inference_mode()
def test_background_is_the_last_class() -> None:
    proposals, pyramid = torch.tensor([[0.0, 0.0, 50.0, 50.0]]), pyramid_of(0, 0, 0, 0, channels=16)
    thresholds = (0.3, 0.3, 0.3)
    boxes, scores, classes = heads_with_scores([8.0, 0, 0, 0]).detect(pyramid, proposals, (100, 100), thresholds)
    assert classes.tolist() == [0] and scores[0] > 0.99 and boxes.tolist() == proposals.tolist()
    assert not len(heads_with_scores([0, 0, 0, 8.0]).detect(pyramid, proposals, (100, 100), thresholds)[0])


@torch.inference_mode()
def test_each_class_has_its_own_threshold() -> None:
    proposals, pyramid = torch.tensor([[0.0, 0.0, 50.0, 50.0]]), pyramid_of(0, 0, 0, 0, channels=16)
    heads = heads_with_scores([0.0, 0.0, 0.0, 0.0])
    assert heads.detect(pyramid, proposals, (100, 100), (0.26, 0.24, 0.26))[2].tolist() == [1]


@torch.inference_mode()
def test_boxes_that_clipping_empties_are_dropped() -> None:
    outside = torch.tensor([[200.0, 0.0, 250.0, 50.0]])
    pyramid = pyramid_of(0, 0, 0, 0, channels=16)
    boxes, _, _ = heads_with_scores([8.0, 0, 0, 0]).detect(pyramid, outside, (100, 100), (0.3, 0.3, 0.3))
    assert not len(boxes)


@torch.inference_mode()
@pytest.mark.parametrize("overlap", [10.0, 40.0])
def test_only_boxes_of_one_class_suppress_each_other(overlap: float) -> None:
    """Two boxes 50 pixels wide, IoU 1/9 or 2/3, each detected as hand and as first object."""
    proposals = torch.tensor([[0.0, 0.0, 50.0, 50.0], [50.0 - overlap, 0.0, 100.0 - overlap, 50.0]])
    heads = heads_with_scores([5.0, 5.0, 0, 0])
    _, _, classes = heads.detect(pyramid_of(0, 0, 0, 0, channels=16), proposals, (100, 100), (0.3, 0.3, 0.3))
    assert sorted(classes.tolist()) == ([0, 0, 1, 1] if overlap == 10.0 else [0, 1])
