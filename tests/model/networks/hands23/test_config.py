from __future__ import annotations

import pytest

from cs3_model.networks.hands23.config import Hands23Config, Hands23InputSize, Hands23Thresholds


@pytest.mark.parametrize(
    ("size_hw", "resized_hw"),
    [((1080, 1920), (750, 1333)), ((480, 640), (800, 1067)), ((640, 480), (1067, 800)), ((22, 44), (666, 1333))],
)
def test_images_are_resized_as_detectron2_does(size_hw: tuple[int, int], resized_hw: tuple[int, int]) -> None:
    """The last case hangs on the order of the multiplications: exact arithmetic would round 666.5 up."""
    assert Hands23InputSize().resized_hw(*size_hw) == resized_hw


def test_an_extremely_long_image_keeps_at_least_one_row() -> None:
    assert Hands23InputSize().resized_hw(1, 4000) == (1, 1333)


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_threshold_that_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"hand_relation.*\[0, 1\]"):
        Hands23Thresholds(hand_relation=value)


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="groups must be at least 1, got 0"):
        Hands23Config(groups=0)
    with pytest.raises(ValueError, match="blocks must be four positive counts"):
        Hands23Config(blocks=(3, 4, 0, 3))
    with pytest.raises(ValueError, match="max_side must be at least 1"):
        Hands23InputSize(max_side=0)
