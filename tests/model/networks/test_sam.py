from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sam2.build_sam import build_sam2 as build_sam2_upstream
from sam2.sam2_image_predictor import SAM2ImagePredictor

from cs3_model.networks.sam import CONFIG_FILES, Sam2Segmenter, build_debug_box_segmenter, build_sam2
from cs3_model.types import Float32Array, UInt8Image

SIZE_HW = (90, 160)
BOXES = np.array([[10, 20, 80, 60], [50, 5, 159, 89], [0, 0, 160, 90]], np.float32)
SEGMENTER = build_debug_box_segmenter(seed=0)


def noise(seed: int = 0, size_hw: tuple[int, int] = SIZE_HW) -> UInt8Image:
    return np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), dtype=np.uint8)


def image_predictor(network: torch.nn.Module, image: UInt8Image) -> SAM2ImagePredictor:
    """That of sam2, which has seen the image."""
    predictor = SAM2ImagePredictor(network)
    side = network.image_size // 4
    predictor._bb_feat_sizes = [(side, side), (side // 2, side // 2), (side // 4, side // 4)]  # fixed to 1024 there
    predictor.set_image(image)
    return predictor


def predict_upstream(network: torch.nn.Module, image: UInt8Image, boxes: Float32Array) -> tuple[np.ndarray, np.ndarray]:
    """What sam2's own image predictor gives, as bool [N, H, W] and float32 [N]."""
    masks, scores, _ = image_predictor(network, image).predict(box=boxes, multimask_output=False)
    return masks.reshape(len(boxes), *image.shape[:2]) > 0, scores.reshape(len(boxes))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_masks_and_scores_equal_those_of_the_image_predictor(number: int) -> None:
    masks, scores = SEGMENTER.segment(SEGMENTER.embed(noise()), BOXES[:number])
    expected_masks, expected_scores = predict_upstream(SEGMENTER.network, noise(), BOXES[:number])
    assert masks.dtype == np.bool_ and scores.dtype == np.float32
    assert 0.01 < expected_masks.mean() < 0.99
    np.testing.assert_array_equal(masks, expected_masks)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)
    assert (scores >= 0).all() and (scores <= 1).all()


@pytest.mark.parametrize("number", [1, 3])
def test_masks_of_points_equal_the_best_of_the_image_predictor(number: int) -> None:
    points = np.array([[80, 45], [3, 4], [159.5, 80]], np.float32)[:number]
    masks, scores = SEGMENTER.segment_points(SEGMENTER.embed(noise()), points)
    assert masks.shape == (number, *SIZE_HW) and masks.dtype == np.bool_ and scores.dtype == np.float32
    for mask, score, point in zip(masks, scores, points, strict=True):
        predictor = image_predictor(SEGMENTER.network, noise())
        theirs, their_scores, _ = predictor.predict(point[None], np.ones(1, np.int32), multimask_output=True)
        assert theirs.shape == (3, *SIZE_HW)
        np.testing.assert_array_equal(mask, theirs[their_scores.argmax()] > 0)
        assert score == pytest.approx(their_scores.max(), abs=1e-6)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[170, 5]], r"point \[170.0, 5.0\] lies outside the image of 160 x 90 pixels"),
        ([[np.nan, 5]], "lies outside the image"),
        ([1, 2], r"points_xy must have shape \[N, 2\], got \[2\]"),
    ],
)
def test_a_bad_point_is_refused(points: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SEGMENTER.segment_points(SEGMENTER.embed(noise()), np.array(points, np.float32))


@pytest.mark.slow
def test_the_published_size_equals_the_image_predictor() -> None:
    torch.manual_seed(0)
    segmenter = Sam2Segmenter(build_sam2("tiny"), name="tiny", trained=False)
    masks, scores = segmenter.segment(segmenter.embed(noise()), BOXES)
    expected_masks, expected_scores = predict_upstream(segmenter.network, noise(), BOXES)
    np.testing.assert_array_equal(masks, expected_masks)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


def test_an_embedding_outlives_that_of_the_next_frame() -> None:
    first = SEGMENTER.embed(noise(seed=1))
    before, _ = SEGMENTER.segment(first, BOXES)
    SEGMENTER.segment(SEGMENTER.embed(noise(seed=2, size_hw=(64, 48))), BOXES[:1] / 4)
    after, _ = SEGMENTER.segment(first, BOXES)
    np.testing.assert_array_equal(before, after)


def test_boxes_together_give_the_masks_of_each_alone() -> None:
    embedding = SEGMENTER.embed(noise())
    together, scores = SEGMENTER.segment(embedding, BOXES)
    alone = [SEGMENTER.segment(embedding, BOXES[i : i + 1]) for i in range(len(BOXES))]
    assert np.mean(together == np.concatenate([masks for masks, _ in alone])) > 0.999
    np.testing.assert_allclose(scores, np.concatenate([score for _, score in alone]), atol=1e-5)


@pytest.fixture
def decoder_calls() -> Iterator[list[int]]:
    calls: list[int] = []
    hook = SEGMENTER.network.sam_mask_decoder.register_forward_hook(lambda *_: calls.append(1))
    yield calls
    hook.remove()


def test_three_boxes_take_one_call_of_the_decoder_and_none_takes_none(decoder_calls: list[int]) -> None:
    embedding = SEGMENTER.embed(noise())
    masks, scores = SEGMENTER.segment(embedding, np.zeros((0, 4), np.float32))
    assert masks.shape == (0, *SIZE_HW) and masks.dtype == np.bool_ and scores.shape == (0,)
    assert not decoder_calls
    SEGMENTER.segment(embedding, BOXES)
    assert len(decoder_calls) == 1


def test_a_box_that_sticks_out_is_clipped() -> None:
    embedding = SEGMENTER.embed(noise())
    masks, _ = SEGMENTER.segment(embedding, np.array([[-30, -5, 80, 500]], np.float32))
    clipped, _ = SEGMENTER.segment(embedding, np.array([[0, 0, 80, 90]], np.float32))
    np.testing.assert_array_equal(masks, clipped)


@pytest.mark.parametrize(
    "box", [[170, 10, 180, 20], [10, -20, 20, -5], [20, 10, 20, 30], [30, 10, 20, 30], [np.nan, 0, 10, 10]]
)
def test_a_box_that_covers_nothing_of_the_image_is_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match=r"box \[.*\] covers no part of the image of 160 x 90 pixels"):
        SEGMENTER.segment(SEGMENTER.embed(noise()), np.array([BOXES[0], box], np.float32))


def test_boxes_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[N, 4\], got \[4\]"):
        SEGMENTER.segment(SEGMENTER.embed(noise()), BOXES[0])


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 500), (333, 7)])
def test_images_of_any_shape_are_segmented_in_full(size_hw: tuple[int, int]) -> None:
    box = np.array([[0, 0, size_hw[1], size_hw[0]]], np.float32)
    masks, _ = SEGMENTER.segment(SEGMENTER.embed(noise(size_hw=size_hw)), box)
    assert masks.shape == (1, *size_hw)


def test_an_image_that_must_not_be_written_to_is_read_without_complaint(recwarn: pytest.WarningsRecorder) -> None:
    image = noise()
    image.flags.writeable = False
    SEGMENTER.embed(image)
    assert not recwarn.list


def test_weights_in_bfloat16_give_nearly_the_same_masks() -> None:
    network = build_debug_box_segmenter(seed=0).network.to(torch.bfloat16)
    segmenter = Sam2Segmenter(network, name="bfloat16", trained=False)
    masks, scores = segmenter.segment(segmenter.embed(noise()), BOXES)
    expected, _ = SEGMENTER.segment(SEGMENTER.embed(noise()), BOXES)
    assert scores.dtype == np.float32
    assert np.mean(masks == expected) > 0.95


@pytest.mark.parametrize("size", ["tiny", *(pytest.param(s, marks=pytest.mark.slow) for s in list(CONFIG_FILES)[1:])])
def test_every_size_has_the_tensors_of_the_published_checkpoint(size: str) -> None:
    """sam2's own builder loads the published files strictly, so its names and shapes are theirs."""
    upstream = build_sam2_upstream(f"configs/sam2.1/{CONFIG_FILES[size]}", device="cpu").state_dict()
    ours = build_sam2(size).state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in upstream.items()
    }


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown size of SAM2 'huge', expected one of tiny, small, base-plus, large"):
        build_sam2("huge")


def test_building_leaves_hydra_to_the_application() -> None:
    from hydra.core.global_hydra import GlobalHydra

    state = GlobalHydra.get_state()
    GlobalHydra.instance().clear()
    try:
        build_debug_box_segmenter()
        assert not GlobalHydra.instance().is_initialized()
    finally:
        GlobalHydra.set_state(state)


def test_a_seed_fixes_the_debug_weights_and_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    same, other = build_debug_box_segmenter(seed=0), build_debug_box_segmenter(seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    masks, _ = SEGMENTER.segment(SEGMENTER.embed(noise()), BOXES)
    np.testing.assert_array_equal(same.segment(same.embed(noise()), BOXES)[0], masks)
    assert (other.segment(other.embed(noise()), BOXES)[0] != masks).any()
    assert not same.trained
