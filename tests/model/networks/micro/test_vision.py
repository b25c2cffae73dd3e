"""The heads of micro's vision: shapes, geometry of boxes and masks, and what makes the tower shareable."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import grid_sample
from torchvision.ops import roi_align as upstream_roi_align

from cs3_model.networks.micro.boxed import MARGIN, MASK_SIDE, POOLED_SIDE, paste_masks, roi_align, widened
from cs3_model.networks.micro.held import GRID_STRIDE, HeldMaps, best_boxes
from cs3_model.networks.micro.pointed import boxes_at
from cs3_model.networks.micro.vision import DEBUG_VISION, MicroVision, VisionConfig
from cs3_model.networks.micro.vocabulary import PAD, WORDS, encode_prompt


@pytest.fixture
def vision() -> MicroVision:
    torch.manual_seed(0)
    return MicroVision(DEBUG_VISION).eval()


def test_every_head_has_its_resolution(vision: MicroVision) -> None:
    features = vision.tower(torch.rand(2, 3, 64, 64))
    assert features.shape == (2, 8, 16, 16)
    words = torch.tensor([[encode_prompt(["metal"]), encode_prompt(["held", "left"]), encode_prompt(["table"])]])
    assert vision.decoder(features, vision.prompt(words).expand(2, -1, -1)).shape == (2, 3, 32, 32)
    held = vision.held(features)
    assert held.logits_NSHW.shape == (2, 2, 8, 8) and held.distances_NS4HW.shape == (2, 2, 4, 8, 8)
    assert vision.boxed(features, torch.tensor([[1.0, 4, 4, 30, 30]])).shape == (1, MASK_SIDE, MASK_SIDE)
    assert [labels.shape[1] for labels in vision.dense_labels(features)] == [8, 25]


def test_a_decoder_answers_each_prompt_alone(vision: MicroVision) -> None:
    features = vision.tower(torch.rand(1, 3, 64, 64))
    conditions = vision.prompt(torch.tensor([[encode_prompt([word]) for word in ("glass", "wood", "pan")]]))
    together = vision.decoder(features, conditions)
    alone = torch.cat([vision.decoder(features, conditions[:, k : k + 1]) for k in range(3)], 1)
    assert torch.allclose(together, alone, atol=1e-5) and not torch.allclose(together[:, 0], together[:, 1])


def test_the_box_at_a_point_is_that_of_the_features_around_it() -> None:
    """Features lie at 2, 6, 10, ... pixels; their boxes are averaged by nearness, and go on beyond the outermost."""
    boxes = torch.arange(8.0).view(1, 2, 4).expand(4, 2, 4)
    points = torch.tensor([[6.0, 2.0], [8.0, 6.0], [6.0, 4.0], [0.0, 0.0], [16.0, 8.0]])
    assert torch.allclose(boxes_at(boxes, points), torch.tensor([1.0, 5.5, 3.0, 0.0, 7.0])[:, None].expand(5, 4))


def test_a_box_at_a_point_holds_the_point(vision: MicroVision) -> None:
    boxes = vision.pointed(vision.tower(torch.rand(2, 3, 64, 96)))
    ys, xs = torch.meshgrid(torch.arange(2.0, 64, 4), torch.arange(2.0, 96, 4), indexing="ij")
    x_min, y_min, x_max, y_max = boxes.unbind(1)
    assert boxes.shape == (2, 4, 16, 24)
    assert ((x_min < xs) & (xs < x_max) & (y_min < ys) & (ys < y_max)).all()


def test_padding_is_no_word(vision: MicroVision) -> None:
    assert torch.equal(vision.prompt.words(torch.tensor(PAD)), torch.zeros(DEBUG_VISION.condition_dim))
    assert len(set(WORDS)) == len(WORDS)


@pytest.mark.parametrize("words", [[], ["unobtainium"], ["metal", "glass", "wood", "paper"]])
def test_a_prompt_of_unknown_or_too_many_words_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="a prompt has 1 to 3 of the words"):
        encode_prompt(words)


@pytest.mark.parametrize(
    "box",
    [
        (2.0, 3.0, 9.5, 8.25),
        (4.1, 4.2, 4.3, 4.4),
        (-0.4, -0.3, 12.4, 9.3),
        (-7.0, 2.0, 5.0, 13.3),
        (8.0, -20.0, 30.0, 3.0),
        (20.0, 20.0, 30.0, 30.0),
    ],
    ids=["inside", "within a cell", "up to half a cell outside", "partly outside", "mostly outside", "outside"],
)
def test_features_under_a_box_are_those_of_torchvision(box: tuple[float, ...]) -> None:
    features = torch.randn(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[1.0, *box]])
    expected = upstream_roi_align(features, rois, POOLED_SIDE, sampling_ratio=2, aligned=True)
    assert torch.allclose(roi_align(features[1:], rois[:, 1:]), expected, atol=1e-5)


def test_the_best_box_is_that_of_the_likeliest_cell() -> None:
    logits = torch.full((1, 2, 4, 6), -5.0)
    logits[0, 0, 1, 2], logits[0, 1, 3, 5] = 2.0, -1.0
    distances = torch.ones(1, 2, 4, 4, 6)
    distances[0, 0, :, 1, 2] = torch.tensor([3.0, 5.0, 7.0, 9.0])
    boxes, scores = best_boxes(HeldMaps(logits, distances))
    x, y = 2.5 * GRID_STRIDE, 1.5 * GRID_STRIDE
    assert boxes[0, 0].tolist() == [x - 3, y - 5, x + 7, y + 9]
    assert scores[0].tolist() == pytest.approx([1 / (1 + 2.718281828**-2), 1 / (1 + 2.718281828)])


def test_a_pasted_mask_lies_where_its_box_is() -> None:
    box = torch.tensor([[20.0, 10.0, 60.0, 30.0]])
    assert widened(box)[0].tolist() == [20 - 40 * MARGIN, 10 - 20 * MARGIN, 60 + 40 * MARGIN, 30 + 20 * MARGIN]
    logits = torch.full((1, MASK_SIDE, MASK_SIDE), -1.0)
    logits[0, :, : MASK_SIDE // 2] = 1.0
    pasted = paste_masks(logits, box, (50, 100))[0] > 0
    rows, columns = pasted.any(1).nonzero().flatten(), pasted.any(0).nonzero().flatten()
    assert (rows[0], rows[-1] + 1) == (7, 33) and (columns[0], columns[-1] + 1) == (14, 40)


def test_pasted_masks_are_sampled_pixel_by_pixel() -> None:
    """Inside, over two edges, over all of them, off the image, and without a size."""
    boxes = torch.tensor([[3, 4, 20, 9], [-9, -4, 7, 6], [-5, -5, 70, 45], [90, 3, 99, 9], [8, 8, 8, 8]]).float()
    logits = torch.randn(len(boxes), MASK_SIDE, MASK_SIDE, generator=torch.Generator().manual_seed(0))
    pasted = paste_masks(logits, boxes, (30, 60))
    assert pasted.shape == (5, 30, 60) and (pasted[3:] == -10).all() and (pasted[2] != -10).all()
    for mask, values, (x_min, y_min, x_max, y_max) in zip(pasted[:3], logits, widened(boxes).tolist(), strict=False):
        for row, column in ((0, 0), (5, 5), (6, 18), (8, 21), (29, 59)):
            x, y = (column + 0.5 - x_min) / (x_max - x_min), (row + 0.5 - y_min) / (y_max - y_min)
            expected = -10.0
            if 0 <= x <= 1 and 0 <= y <= 1:
                place = torch.tensor([[[[2 * x - 1, 2 * y - 1]]]])
                expected = grid_sample(values[None, None], place, padding_mode="border", align_corners=False).item()
            assert mask[row, column].item() == pytest.approx(expected, abs=1e-5)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="side must be a multiple of 32, got 100"):
        VisionConfig(side=100)
    with pytest.raises(ValueError, match="need 4 numbers"):
        VisionConfig(widths=(1, 2))
