"""The pipeline around parts with known answers: stages, ablations and strategies."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.localisation import LocalisationConfig
from cs3_model.pipeline import HeardMask, PipelineConfig
from cs3_model.strategies import RULES, Strategy, choose_masks, first_of_each_role
from cs3_model.types import Candidate, Frame, Reason, Role, Verdict
from cs3_model.verification import VerificationConfig

LEFT, RIGHT = (20.0, 60.0, 60.0, 120.0), (220.0, 60.0, 270.0, 130.0)


def roles(result) -> list[Role]:
    return [mask.role for mask in result.masks]


def test_the_heard_object_meets_the_one_in_the_right_hand(make_pipeline, spot_frame, window) -> None:
    result = make_pipeline(LEFT, RIGHT).process(spot_frame, window)
    assert result.verdict is Verdict.TWO_OBJECTS and roles(result) == [Role.RIGHT_HAND, Role.AUDIO_VISUAL]
    heard = result.masks[1]
    assert heard.mask.shape == (200, 400) and heard.mask[100, 300]
    np.testing.assert_allclose(heard.box_xyxy, (280, 80, 320, 120), atol=12)
    assert [other.role for other in result.rejected] == [Role.LEFT_HAND]


def test_both_stages_give_what_one_call_gives(make_pipeline, spot_frame, window) -> None:
    pipeline = make_pipeline(LEFT, RIGHT)
    whole = pipeline.process(spot_frame, window)
    staged = pipeline.finish(pipeline.prepare(spot_frame), window)
    assert roles(staged) == roles(whole)
    for mine, theirs in zip(staged.masks, whole.masks, strict=True):
        np.testing.assert_array_equal(mine.mask, theirs.mask)
    assert list(staged.stage_s) == [
        "image_features", "hands", "box_embedding", "audio", "audio_visual", "masks", "verification",
    ]  # fmt: skip


def test_without_hands_the_sound_alone_decides(make_pipeline, spot_frame, window) -> None:
    for pipeline in (make_pipeline(), make_pipeline(LEFT, RIGHT, PipelineConfig(use_hands=False))):
        result = pipeline.process(spot_frame, window)
        assert result.verdict is Verdict.ONE_OBJECT and roles(result) == [Role.AUDIO_VISUAL]


def test_without_boxes_for_sound_the_map_is_the_mask(make_pipeline, spot_frame, window) -> None:
    config = PipelineConfig(heard_mask=HeardMask.MAP, use_hands=False, use_crop=False)
    (heard,) = make_pipeline(config=config).process(spot_frame, window).masks
    assert heard.mask[100, 300] and not heard.mask[20, 20]
    assert heard.mask.sum() == pytest.approx(40 * 40, rel=0.5)


def test_the_peak_itself_can_be_what_is_segmented(make_pipeline, spot_frame, window) -> None:
    """In one more round the mask of the point is segmented in its box, like any other."""
    for rounds in (1, 2):
        config = PipelineConfig(heard_mask=HeardMask.POINT, heard_box_rounds=rounds, use_crop=False)
        result = make_pipeline(LEFT, RIGHT, config).process(spot_frame, window)
        held, heard = (item.mask for item in result.candidates if item.role is not Role.LEFT_HAND)
        assert heard.sum() == heard[75:125, 275:325].sum() == 100
        assert held.sum() == 50 * 70


def test_of_several_peaks_the_one_whose_object_has_most_of_the_map_is_heard(make_pipeline, window) -> None:
    """A narrow place is the highest, a wide one is nearly as high."""
    image = np.zeros((60, 160, 3), np.uint8)
    image[40:44, 40:48], image[32:44, 112:124] = 253, 250
    image[40:44, 40:44], image[36:40, 116:120] = 255, 252
    localisation = LocalisationConfig(smoothing=0)
    for count, middle_x in ((1, 42), (2, 118)):
        config = PipelineConfig(
            heard_mask=HeardMask.POINT, heard_points=count, use_crop=False, localisation=localisation
        )
        result = make_pipeline(config=config).process(Frame(image=image), window)
        (heard,) = result.masks
        assert heard.mask.any(0).nonzero()[0].mean() == pytest.approx(middle_x, abs=1)
        assert len(result.rejected) == count - 1
    (other,) = result.rejected
    assert other.mask.any(0).nonzero()[0].mean() == pytest.approx(42, abs=1) and other.role is Role.AUDIO_VISUAL
    assert 0.05 < other.score < heard.score and other.reason == (
        f"it has {other.score:.2f} of the map, another heard object {heard.score:.2f}"
    )
    assert [candidate.mask is heard.mask for candidate in result.candidates] == [True, False]


def test_an_object_with_two_peaks_is_heard_once_and_one_without_a_share_not_at_all(make_pipeline, window) -> None:
    """The part that segments points answers both places with one mask, and a third with a corner of the picture."""
    image = np.full((200, 400, 3), 20, np.uint8)
    image[100:104, 60:64], image[80:120, 280:320], image[20:24, 200:204] = 255, 240, 230
    config = PipelineConfig(
        heard_mask=HeardMask.POINT, heard_points=3, use_crop=False, localisation=LocalisationConfig(smoothing=0)
    )
    pipeline = make_pipeline(config=config)
    whole, corner = np.zeros((200, 400), bool), np.zeros((200, 400), bool)
    whole[80:120, 60:320], corner[:4, :4] = True, True
    pipeline.boxes.segment_points = lambda embedding, points: (np.stack([corner, whole, whole]), np.ones(3))
    result = pipeline.process(Frame(image=image), window)
    assert len(result.candidates) == 1 and not result.rejected
    np.testing.assert_array_equal(result.masks[0].mask, whole)


def test_the_crop_looks_again_at_the_peak(make_pipeline, spot_frame, window) -> None:
    """The crop's map has twice the resolution; the refined map differs inside the crop only."""
    refined = make_pipeline().process(spot_frame, window).heatmap
    plain = make_pipeline(config=PipelineConfig(use_crop=False)).process(spot_frame, window).heatmap
    assert refined.shape == plain.shape == (50, 100)
    np.testing.assert_allclose(refined[:, :50], plain[:, :50], atol=1e-5)


def test_the_heard_object_is_segmented_again_in_the_box_of_its_mask(make_pipeline, spot_frame, window) -> None:
    """Each mask of these parts is its box less a pixel on each side: every round takes one more off."""
    once, thrice = (make_pipeline(LEFT, RIGHT, PipelineConfig(heard_box_rounds=rounds)) for rounds in (1, 3))
    for pipeline in (once, thrice):
        fill = pipeline.boxes.segment
        shrink = np.array([1, 1, -1, -1], np.float32)
        pipeline.boxes.segment = lambda embedding, boxes, fill=fill, shrink=shrink: fill(embedding, boxes + shrink)
    first, third = (
        {item.role: item.box_xyxy for item in pipeline.process(spot_frame, window).candidates}
        for pipeline in (once, thrice)
    )
    expected = np.array(first[Role.AUDIO_VISUAL]) + 2 * np.array([1, 1, -1, -1])
    np.testing.assert_array_equal(third.pop(Role.AUDIO_VISUAL), expected)
    assert first.items() >= third.items() and len(third) == 2


def test_an_empty_mask_of_the_heard_object_ends_its_rounds(make_pipeline, spot_frame, window) -> None:
    pipeline = make_pipeline(config=PipelineConfig(heard_box_rounds=3))
    pipeline.boxes.segment = lambda embedding, boxes: (np.zeros((len(boxes), *embedding), bool), np.ones(len(boxes)))
    assert pipeline.process(spot_frame, window).verdict is Verdict.NONE


@pytest.mark.parametrize("name", ["heard_points", "heard_box_rounds"])
def test_points_and_rounds_start_at_one(name) -> None:
    with pytest.raises(ValueError, match=f"{name} must be 1 or more, got 0"):
        PipelineConfig(**{name: 0})


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.RIGHT, [Role.RIGHT_HAND]),
        (Strategy.LEFT, [Role.LEFT_HAND]),
        (Strategy.RIGHT_LEFT, [Role.RIGHT_HAND, Role.LEFT_HAND]),
        (Strategy.RIGHT_AV, [Role.RIGHT_HAND, Role.AUDIO_VISUAL]),
        (Strategy.LEFT_AV, [Role.LEFT_HAND, Role.AUDIO_VISUAL]),
    ],
)
def test_fixed_strategies_take_what_they_name(strategy, expected, make_pipeline, spot_frame, window) -> None:
    result = make_pipeline(LEFT, RIGHT, PipelineConfig(strategy=strategy)).process(spot_frame, window)
    assert roles(result) == expected and result.reason is Reason.SELECTED
    assert len(result.masks) + len(result.rejected) == 3


@pytest.mark.parametrize("strategy", RULES)
def test_every_strategy_weighs_the_likeliest_heard_object_alone(strategy) -> None:
    """The likelier one touches nothing, the other one both hands' objects; it is passed over all the same."""
    right, left = drawn(Role.RIGHT_HAND, 100, 120), drawn(Role.LEFT_HAND, 160, 180)
    likely, passed_over = drawn(Role.AUDIO_VISUAL, 0, 20), drawn(Role.AUDIO_VISUAL, 120, 160)
    candidates = [right, left, likely, passed_over]
    result = choose_masks(candidates, strategy, VerificationConfig())
    without = choose_masks(candidates[:-1], strategy, VerificationConfig())
    assert roles(result) == roles(without) and result.detail == without.detail
    assert result.rejected[-1] is passed_over and len(result.masks) + len(result.rejected) == 4
    assert first_of_each_role(candidates) == (right, left, likely)


def drawn(role: Role, x_min: int, x_max: int) -> Candidate:
    mask = np.zeros((100, 200), bool)
    mask[40:60, x_min:x_max] = True
    return Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=0.5, reason="proposed")


def test_a_fixed_strategy_without_its_object_finds_nothing(make_pipeline, spot_frame, window) -> None:
    result = make_pipeline(None, RIGHT, PipelineConfig(strategy=Strategy.LEFT)).process(spot_frame, window)
    assert result.verdict is Verdict.NONE and result.reason is Reason.NO_CANDIDATE


def test_the_second_look_decides_though_the_first_map_was_higher_elsewhere(make_pipeline, window) -> None:
    """Seen closely, all of the crop is dark: a lower map than the first one has at its second-brightest spot."""

    image = np.full((200, 400, 3), 20, np.uint8)
    image[80:120, 280:320] = 255
    image[80:120, 40:80] = 200
    pipeline = make_pipeline()

    class DarkCrops(type(pipeline.audio_visual)):
        def embed_image(self, image):
            return super().embed_image(image if image.shape[:2] == (200, 400) else image // 8)

    pipeline.audio_visual = DarkCrops()
    (heard,) = pipeline.process(Frame(image=image), window).masks
    assert heard.box_xyxy[0] >= 250 and heard.box_xyxy[2] <= 350


def test_the_strategy_adjacent_wants_adjacent_pixels(make_pipeline, spot_frame, window) -> None:
    """Both held objects are 10 px apart: a collision for the paper's beta, not for touching."""
    adjacent_only = PipelineConfig(strategy=Strategy.ADJACENT, heard_mask=HeardMask.MAP)
    near, adjacent = (20.0, 60.0, 60.0, 120.0), (60.0, 60.0, 90.0, 120.0)
    apart = (70.0, 60.0, 100.0, 120.0)
    assert make_pipeline(near, apart, adjacent_only).process(spot_frame, window).verdict is Verdict.ONE_OBJECT
    assert make_pipeline(near, apart).process(spot_frame, window).verdict is Verdict.TWO_OBJECTS
    assert make_pipeline(near, adjacent, adjacent_only).process(spot_frame, window).verdict is Verdict.TWO_OBJECTS


def test_touch_takes_the_right_hands_object_and_what_the_detector_says_it_touches(
    make_pipeline, spot_frame, window
) -> None:
    touch, touched = PipelineConfig(strategy=Strategy.TOUCH), (100.0, 20.0, 140.0, 50.0)
    result = make_pipeline(LEFT, RIGHT, touch, touched).process(spot_frame, window)
    assert roles(result) == [Role.RIGHT_HAND, Role.TOUCHED] and result.verdict is Verdict.TWO_OBJECTS
    assert [mask.box_xyxy for mask in result.masks] == [RIGHT, touched]
    assert [mask.role for mask in result.rejected] == [Role.LEFT_HAND, Role.AUDIO_VISUAL]
    (alone,) = make_pipeline(LEFT, RIGHT, touch).process(spot_frame, window).masks
    assert alone.role is Role.RIGHT_HAND and "names nothing that the object in the right hand touches" in alone.reason


def test_what_a_held_object_touches_is_a_candidate_of_no_other_strategy(make_pipeline, spot_frame, window) -> None:
    result = make_pipeline(LEFT, RIGHT, None, (100.0, 20.0, 140.0, 50.0)).process(spot_frame, window)
    assert Role.TOUCHED not in [candidate.role for candidate in result.candidates]


def test_the_pipeline_names_its_parts(make_pipeline) -> None:
    pipeline = make_pipeline()
    assert pipeline.models == ("brightest spot", "fixed hands", "filled boxes") and pipeline.trained
    pipeline.boxes.trained = False
    assert not pipeline.trained


def test_the_pipeline_keeps_all_candidates_for_the_oracle(make_pipeline, spot_frame, window) -> None:
    """Two hands hold the same object: the verification merges them, the oracle may still choose the better one."""
    box = (220.0, 60.0, 270.0, 130.0)
    result = make_pipeline(box, (222.0, 60.0, 270.0, 130.0)).process(spot_frame, window)
    assert [candidate.role for candidate in result.candidates] == [Role.RIGHT_HAND, Role.LEFT_HAND, Role.AUDIO_VISUAL]
    assert Role.RIGHT_HAND | Role.LEFT_HAND in [mask.role for mask in result.masks]
    truth = np.zeros((200, 400), bool)
    truth[60:130, 220:270] = True
    np.testing.assert_array_equal(result.candidates[1].mask, truth)
