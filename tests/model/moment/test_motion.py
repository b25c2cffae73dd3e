"""Motion between made pictures whose movement is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cs3_model.moment.motion import Motion, MotionConfig, MotionEstimator, UnknownMotionError, camera_motion
from cs3_model.types import Float32Array, UInt8Image

WIDTH, HEIGHT = 256, 192
SECONDS = 0.1


@pytest.fixture
def estimator() -> MotionEstimator:
    return MotionEstimator(MotionConfig(width_px=WIDTH))


def texture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> UInt8Image:
    """Spots of every size from a few pixels on, as a surface in a kitchen has them."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), sigma) * sigma for sigma in (1.5, 4, 9)]
    return np.clip(128 + 90 * sum(layers), 0, 255).astype(np.uint8)


def with_patch(background: UInt8Image, x: int, y: int) -> UInt8Image:
    """A textured square of 48 pixels on a background."""
    picture = background.copy()
    picture[y : y + 48, x : x + 48] = texture(7)[:48, :48]
    return picture


def moved(picture: UInt8Image, matrix: list[list[float]]) -> UInt8Image:
    return cv2.warpAffine(picture, np.array(matrix), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


def measured(estimator: MotionEstimator, first: UInt8Image, second: UInt8Image, seconds: float = SECONDS) -> Motion:
    return estimator.between(estimator.reduced(first), estimator.reduced(second), seconds)


def inside(motion: Motion, x: int, y: int) -> Float32Array:
    return motion.velocity[y + 12 : y + 36, x + 12 : x + 36].reshape(-1, 2).mean(axis=0)


def test_an_object_that_moves_before_a_still_camera_has_its_velocity(estimator: MotionEstimator) -> None:
    """Six pixels of 256 to the right in a tenth of a second are 0.234 picture widths per second."""
    background = texture(1)
    motion = measured(estimator, with_patch(background, 90, 60), with_patch(background, 96, 60))
    assert inside(motion, 90, 60) == pytest.approx([6 / WIDTH / SECONDS, 0.0], abs=0.03)
    assert np.median(motion.speed) < 0.01
    assert motion.explained > 0.8


def test_time_runs_forward_also_towards_an_earlier_frame(estimator: MotionEstimator) -> None:
    background = texture(1)
    now, earlier = with_patch(background, 96, 60), with_patch(background, 90, 60)
    motion = measured(estimator, now, earlier, -SECONDS)
    assert inside(motion, 96, 60) == pytest.approx([6 / WIDTH / SECONDS, 0.0], abs=0.03)


@pytest.mark.parametrize(
    "camera",
    [
        [[1.0, 0.0, 5.0], [0.0, 1.0, -3.0]],
        [[0.9994, -0.0349, 4.0], [0.0349, 0.9994, -4.0]],
        [[1.03, 0.0, -3.0], [0.0, 1.03, -3.0]],
    ],
    ids=["shifted", "turned by two degrees", "nearer by three percent"],
)
def test_the_motion_of_the_camera_is_not_that_of_the_objects(
    estimator: MotionEstimator, camera: list[list[float]]
) -> None:
    background = texture(2)
    first = with_patch(background, 90, 60)
    alone = measured(estimator, first, moved(first, camera))
    assert np.quantile(alone.speed[16:-16, 16:-16], 0.9) < 0.03
    both = measured(estimator, first, moved(with_patch(background, 98, 60), camera))
    assert inside(both, 90, 60)[0] == pytest.approx(8 / WIDTH / SECONDS, rel=0.25)


def test_the_units_depend_neither_on_resolution_nor_on_time(estimator: MotionEstimator) -> None:
    background = texture(1)
    first, second = with_patch(background, 90, 60), with_patch(background, 94, 60)
    large = [cv2.resize(picture, None, fx=3, fy=3) for picture in (first, second)]
    slow = inside(measured(estimator, first, second, 2 * SECONDS), 90, 60)
    assert inside(measured(estimator, *large), 90, 60) == pytest.approx(2 * slow, abs=0.03)


def test_flickering_light_moves_nothing(estimator: MotionEstimator) -> None:
    first = with_patch(texture(3), 90, 60)
    brighter = np.clip(first.astype(float) * 1.3 + 10, 0, 255).astype(np.uint8)
    assert np.quantile(measured(estimator, first, brighter).speed, 0.95) < 0.05


def test_a_cut_between_the_frames_is_unknown_motion(estimator: MotionEstimator) -> None:
    with pytest.raises(UnknownMotionError, match="different scenes"):
        measured(estimator, texture(4), texture(5))


@pytest.mark.parametrize("degrees", [30, 60, 90])
def test_a_camera_that_is_dropped_is_unknown_motion(estimator: MotionEstimator, degrees: int) -> None:
    """It turns within a tenth of a second, and moves by a third of the picture: no flow follows that."""
    turned = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.0)
    turned[:, 2] += (0.3 * WIDTH, 0.3 * HEIGHT)
    with pytest.raises(UnknownMotionError, match="the frames show different scenes"):
        measured(estimator, texture(1), moved(texture(1), turned.tolist()))


def test_blur_moves_nothing(estimator: MotionEstimator) -> None:
    """A frame that is smeared over nine of its 256 pixels, before a still scene."""
    smear = np.zeros((9, 9), np.float32)
    smear[4] = 1 / 9
    motion = measured(estimator, texture(1), cv2.filter2D(texture(1), -1, smear))
    assert np.quantile(motion.speed, 0.99) < 0.02


def test_a_frozen_image_is_unknown_motion(estimator: MotionEstimator) -> None:
    with pytest.raises(UnknownMotionError, match="frozen"):
        measured(estimator, texture(4), texture(4).copy())


def test_frames_of_different_size_are_unknown_motion(estimator: MotionEstimator) -> None:
    with pytest.raises(UnknownMotionError, match="differ in size"):
        measured(estimator, texture(4), texture(4)[:120])


def test_two_frames_of_one_stamp_are_unknown_motion(estimator: MotionEstimator) -> None:
    with pytest.raises(UnknownMotionError, match="one stamp"):
        measured(estimator, texture(4), with_patch(texture(4), 9, 9), 0.0)


def test_an_even_picture_has_no_motion(estimator: MotionEstimator) -> None:
    """Nothing can be seen to move where nothing can be seen; sensor noise is no motion either."""
    rng = np.random.default_rng(0)
    first, second = (np.clip(rng.normal(128, 1.0, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8) for _ in range(2))
    try:
        motion = measured(estimator, first, second)
    except UnknownMotionError:
        return
    assert np.quantile(motion.speed, 0.99) < 0.2


def test_a_flow_that_no_camera_explains_keeps_its_median() -> None:
    flow = np.full((16, 16, 2), np.nan, np.float32)
    flow[..., 0], flow[..., 1] = 3.0, -1.0
    camera, explained = camera_motion(flow, 0.5)
    assert camera[8, 8] == pytest.approx([3.0, -1.0], abs=1e-3)
    assert 0.0 <= explained <= 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [({"width_px": 8}, "width_px"), ({"inlier_px": 0.0}, "inlier_px"), ({"least_similarity": 2.0}, "least_similarity")],
)
def test_bad_values_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MotionConfig(**change)


@pytest.mark.filterwarnings("error")
def test_a_flat_bar_beside_a_rough_picture_is_measured(estimator: MotionEstimator) -> None:
    """There the local variance, a difference of running sums, may end a little below zero, whose root was not a number."""
    reduced = np.full((300, WIDTH), 128, np.float32)
    reduced[:100] = np.random.default_rng(0).normal(128, 40, (100, WIDTH))
    motion = estimator.between(reduced, np.roll(reduced, 1, axis=1), SECONDS)
    assert np.isfinite(motion.velocity).all()
    assert motion.speed[200:].max() < 0.05
