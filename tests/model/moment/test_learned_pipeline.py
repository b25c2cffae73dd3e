"""The strategy `learned` in the pipeline: frames around the onset add candidates, and their absence loses nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cs3_model.frame_ring import StoredFrame
from cs3_model.moment.choice import SelectionConfig
from cs3_model.moment.selection import LearnedSelection, SelectionNetwork
from cs3_model.pipeline import PipelineConfig
from cs3_model.steps import Event, Finish
from cs3_model.strategies import Strategy
from cs3_model.types import Frame, Reason, Role
from cs3_model.worker import segment_event
from tests.model.moment.test_motion import texture, with_patch

LEARNED = PipelineConfig(strategy=Strategy.LEARNED)
HELD = (10.0, 10.0, 60.0, 60.0)


@pytest.fixture
def selection() -> LearnedSelection:
    torch.manual_seed(0)
    return LearnedSelection([SelectionNetwork()], name="random")


def frame(x: int, milliseconds: int) -> Frame:
    return Frame(image=with_patch(texture(1), x, 100), stamp_ns=milliseconds * 1_000_000)


def test_what_moves_becomes_a_candidate_where_it_is(make_pipeline, selection, window) -> None:
    """The patch at (100, 100) moves 8 pixels within a tenth of a second; nothing else does."""
    pipeline = make_pipeline(right=HELD, config=LEARNED, selection=selection)
    candidates = pipeline.process(frame(100, 0), window, after=frame(108, 100)).candidates
    moved = [item for item in candidates if Role.MOVED in item.role]
    assert moved
    assert any(100 <= (item.box_xyxy[0] + item.box_xyxy[2]) / 2 <= 156 for item in moved)
    still = pipeline.process(frame(100, 0), window).candidates
    assert [item.role for item in still] == [item.role for item in candidates if Role.MOVED not in item.role]


@pytest.mark.parametrize(
    "around",
    [{}, {"before": frame(92, -100)}, {"after": Frame(image=texture(5)[:90])}],
)
def test_without_comparable_frames_the_answer_rests_on_the_rest_and_says_so(
    around, make_pipeline, selection, window
) -> None:
    result = make_pipeline(right=HELD, config=LEARNED, selection=selection).process(frame(100, 0), window, **around)
    assert result.reason in (Reason.LIKELIEST, Reason.NOT_IN_VIEW)
    assert "what moved is partly unknown" in result.detail
    assert 0.0 <= result.confidence <= 1.0
    assert len(result.masks) + len(result.rejected) == len(result.candidates)


def test_rules_do_not_look_at_what_moves(make_pipeline, window) -> None:
    pipeline = make_pipeline(right=HELD)
    result = pipeline.process(frame(100, 0), window, after=frame(108, 100))
    assert not any("motion" in stage for stage in result.stage_s)
    assert np.isnan(result.confidence)
    assert all(Role.MOVED not in item.role for item in result.candidates)


def test_the_strategy_is_refused_without_weights(make_pipeline, window) -> None:
    with pytest.raises(ValueError, match="the strategy 'learned' needs weights"):
        make_pipeline(right=HELD, config=LEARNED).process(frame(100, 0), window)


def test_a_doubtful_onset_lowers_the_confidence_by_as_much(make_pipeline, selection, window) -> None:
    """What is right with probability p if it was an impact is right with 0.75 p where that has a doubt of 0.25."""
    pipeline = make_pipeline(
        right=HELD, config=replace(LEARNED, selection=SelectionConfig(not_in_view=1.0)), selection=selection
    )

    def confidence(doubt: float) -> float:
        event = Event(event_id=1, onset_ns=0, strength_db=20.0, doubt=doubt)
        image = frame(100, 0).image
        stored = StoredFrame(stamp_ns=0, frame_id="camera", num_bytes=1, decode_image=lambda: image)
        return segment_event(
            pipeline, Finish(event=event, frame=stored, window=window, complete_s=0.0)
        ).result.confidence

    assert confidence(0.25) == pytest.approx(0.75 * confidence(0.0))


def test_the_same_input_gives_the_same_answer(make_pipeline, selection, window) -> None:
    pipeline = make_pipeline(right=HELD, config=replace(LEARNED, use_crop=False), selection=selection)
    around = {"before": frame(92, -100), "after": frame(104, 100)}
    one, other = (pipeline.process(frame(100, 0), window, **around) for _ in range(2))
    assert one.detail == other.detail and one.confidence == other.confidence
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(one.candidates, other.candidates, strict=True))
