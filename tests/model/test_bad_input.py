"""Whatever comes in: a ValueError at the boundary that names the field, or a documented result. Never a crash inside.

The pipeline is the debug preset: tiny networks, but of the real classes.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cs3_model.build import build_pipeline, load_preset
from cs3_model.pipeline import CollisionPipeline, PipelineConfig
from cs3_model.strategies import RULES, Strategy
from cs3_model.types import MIN_WINDOW_SAMPLES, AudioWindow, CollisionResult, Frame, Reason, Role, Verdict

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=200, deadline=None)


@pytest.fixture(scope="module")
def pipeline() -> CollisionPipeline:
    torch.set_num_threads(1)
    return build_pipeline(load_preset("debug"), device=torch.device("cpu"))


def noise_window(num_samples: int = 8000) -> AudioWindow:
    samples = np.random.default_rng(0).uniform(-1, 1, num_samples).astype(np.float32)
    return AudioWindow(samples=samples)


def noise_frame(height: int, width: int, seed: int = 0) -> Frame:
    return Frame(image=np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def check_result(result: CollisionResult, frame: Frame) -> None:
    """What holds for every result, whatever the frame and the sound."""
    height, width = frame.size_hw
    assert len(result.masks) == int(result.verdict)
    if result.verdict is Verdict.NONE:
        assert result.reason is Reason.NO_CANDIDATE and result.detail
    for candidate in (*result.masks, *result.rejected, *result.candidates):
        assert candidate.mask.shape == (height, width) and candidate.mask.dtype == np.bool_
        assert 0.0 <= candidate.score <= 1.0 and candidate.reason
        x_min, y_min, x_max, y_max = candidate.box_xyxy
        assert 0 <= x_min <= x_max <= width and 0 <= y_min <= y_max <= height
    for candidate in result.masks:
        assert candidate.mask.any() and candidate.box_xyxy[2] > candidate.box_xyxy[0]
        if candidate.contact_xy is not None:
            x, y = (int(value) for value in candidate.contact_xy)
            assert candidate.mask[y, x]
    assert np.isfinite(result.heatmap).all() and result.heatmap.min() >= 0 and result.heatmap.max() == 1
    assert all(seconds >= 0 for seconds in result.stage_s.values())


# --- frames ---


@MANY
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
def test_a_frame_is_a_non_empty_uint8_rgb_image_or_refused(image: np.ndarray) -> None:
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        assert Frame(image=image).size_hw == image.shape[:2]
    else:
        with pytest.raises(ValueError, match=r"^Frame\.image must .*got "):
            Frame(image=image)


@pytest.mark.parametrize("image", [None, [[[0, 0, 0]]], "image.png", torch.zeros(2, 2, 3, dtype=torch.uint8)])
def test_what_is_no_array_is_no_frame(image) -> None:
    with pytest.raises(ValueError, match=r"^Frame\.image must .*got "):
        Frame(image=image)


# --- audio windows ---


@MANY
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)))
def test_samples_of_another_type_rank_or_length_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^AudioWindow\.samples must "):
        AudioWindow(samples=samples)


@MANY
@given(st.integers(0, MIN_WINDOW_SAMPLES - 1), st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_samples_that_are_not_finite_or_not_in_range_are_refused(position: int, value: float) -> None:
    samples = np.zeros(MIN_WINDOW_SAMPLES, np.float32)
    samples[position] = value
    assume(not 1.0 < abs(value) <= 1.001)  # the rounding of resamplers is forgiven
    if abs(value) <= 1.0:
        AudioWindow(samples=samples)
    else:
        with pytest.raises(ValueError, match=r"^AudioWindow\.samples must (be finite|lie in \[-1, 1\])"):
            AudioWindow(samples=samples)


def test_audio_shorter_than_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match=f"at least {MIN_WINDOW_SAMPLES} samples .* got {MIN_WINDOW_SAMPLES - 1}"):
        AudioWindow(samples=np.zeros(MIN_WINDOW_SAMPLES - 1, np.float32))


@given(st.integers(-10, 200_000).filter(lambda rate: rate != 16_000))
def test_another_rate_is_refused_rather_than_misheard(rate_hz: int) -> None:
    with pytest.raises(ValueError, match=r"sample_rate_hz must be 16000"):
        AudioWindow(samples=np.zeros(32_000, np.float32), sample_rate_hz=rate_hz)


# --- the pipeline ---


@FEW
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 9))
def test_frames_of_any_size_end_in_a_documented_result(pipeline, height: int, width: int, seed: int) -> None:
    frame = noise_frame(height, width, seed)
    check_result(pipeline.process(frame, noise_window()), frame)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 400), (400, 1), (2, 3), (16, 16), (719, 1281)])
def test_extreme_sizes_end_in_a_documented_result(pipeline, size_hw: tuple[int, int]) -> None:
    frame = noise_frame(*size_hw)
    check_result(pipeline.process(frame, noise_window()), frame)


@pytest.mark.parametrize("level", [0, 255])
def test_a_frame_of_one_colour_ends_in_a_documented_result(pipeline, level: int) -> None:
    frame = Frame(image=np.full((60, 80, 3), level, np.uint8))
    check_result(pipeline.process(frame, noise_window()), frame)


def test_arrays_with_gaps_or_without_write_access_are_read(pipeline) -> None:
    """As conversions give them: padded rows, another channel order, shared memory."""
    whole = np.random.default_rng(0).integers(0, 256, (60, 90, 4), np.uint8)
    view = whole[::1, 3:83, 2::-1]
    whole.flags.writeable = False
    copied = Frame(image=np.ascontiguousarray(view))
    seen, expected = (pipeline.process(frame, noise_window()) for frame in (Frame(image=view), copied))
    np.testing.assert_array_equal(seen.heatmap, expected.heatmap)


@FEW
@given(st.integers(MIN_WINDOW_SAMPLES, 50_000))
def test_windows_of_any_length_are_heard(pipeline, num_samples: int) -> None:
    frame = noise_frame(48, 64)
    check_result(pipeline.process(frame, noise_window(num_samples)), frame)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_silence_and_constant_sound_are_heard(pipeline, value: float) -> None:
    frame = noise_frame(48, 64)
    window = AudioWindow(samples=np.full(32_000, value, np.float32))
    check_result(pipeline.process(frame, window), frame)


@pytest.mark.parametrize("strategy", RULES)
@pytest.mark.parametrize("use_hands", [True, False])
def test_every_strategy_ends_in_a_documented_result_with_and_without_hands(
    strategy: Strategy, use_hands: bool, make_pipeline, spot_frame, window
) -> None:
    config = PipelineConfig(strategy=strategy, use_hands=use_hands)
    check_result(make_pipeline((0, 0, 30, 30), (300, 0, 400, 60), config).process(spot_frame, window), spot_frame)


edge = st.floats(-50, 450, allow_nan=False)


@FEW
@given(st.tuples(edge, edge, edge, edge), st.tuples(edge, edge, edge, edge))
def test_boxes_at_and_beyond_the_borders_end_in_a_documented_result(make_pipeline, spot_frame, window, left, right):
    """A part may give any box, even an empty one; its mask then is empty, and rejected with the reason."""
    result = make_pipeline(left, right).process(spot_frame, window)
    check_result(result, spot_frame)
    for candidate in result.candidates:
        if not candidate.mask.any():
            assert [c.reason for c in result.rejected if c.role is candidate.role] == ["its mask is empty"]


def test_no_masks_at_all_are_an_empty_verdict_with_its_reason(make_pipeline, spot_frame, window) -> None:
    pipeline = make_pipeline()
    pipeline.boxes.segment = lambda embedding, boxes: (np.zeros((len(boxes), *embedding), bool), np.zeros(len(boxes)))
    result = pipeline.process(spot_frame, window)
    check_result(result, spot_frame)
    assert result.verdict is Verdict.NONE and [c.role for c in result.rejected] == [Role.AUDIO_VISUAL]
