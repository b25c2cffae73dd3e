"""The checks of weights are able to fail: wrong weights of each part, at debug size; and pass where the answer is right."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from cs3_model.foundation_check import check_beats, check_boxes, check_clipseg, run_check
from cs3_model.networks.audio_visual import build_debug_audio_visual_network
from cs3_model.networks.sam import build_debug_box_segmenter
from cs3_model.networks.tagged_prompts import AUDIOSET_PROMPTS

SEEDS = range(3)


def debug_network(seed: int):
    torch.manual_seed(seed)
    return build_debug_audio_visual_network().eval()


@pytest.mark.parametrize("seed", SEEDS)
def test_random_weights_of_sam_fail(seed: int) -> None:
    passed, detail = check_boxes(build_debug_box_segmenter(seed))
    assert not passed and detail.endswith("at least 0.9 wanted")


@pytest.mark.parametrize("seed", SEEDS)
def test_random_weights_of_clipseg_fail(seed: int) -> None:
    passed, detail = check_clipseg(debug_network(seed).clipseg, torch.randn(1, 32))
    assert not passed and detail.endswith("of 4 pictures")


@pytest.mark.parametrize("seed", SEEDS)
def test_random_weights_of_beats_fail(seed: int) -> None:
    labels = dict(enumerate(["/m/07rv4dm", "/m/07phxs1", "/m/07qwdck", "/m/07q7njn", "/m/039jq"]))
    assert set(labels.values()) <= set(AUDIOSET_PROMPTS)
    passed, detail = check_beats(debug_network(seed).beats, labels)
    assert not passed and "of a bell" in detail


class ByColour:
    """Fills what has the colour of the middle of the box."""

    name, trained = "by colour", True

    def embed(self, image):
        return image

    def segment(self, embedding, boxes_xyxy):
        x, y = ((boxes_xyxy[0, :2] + boxes_xyxy[0, 2:]) / 2).astype(int)
        mask = (embedding == embedding[y, x]).all(axis=2)
        return mask[None], np.ones(1, np.float32)


class Reddest:
    """Stands for a network that sees red, in RGB or with swapped channels."""

    def __init__(self, channel: int) -> None:
        self.channel = channel

    def pixels(self, image):
        return torch.from_numpy(cv2.resize(image, (64, 48)).astype(np.float32))

    def image_features(self, pixels):
        others = [channel for channel in range(3) if channel != self.channel]
        return pixels[..., self.channel] - pixels[..., others].mean(-1)

    def decode_pairs(self, features, condition):
        return features[None, None]


def test_a_segmenter_that_finds_the_disc_passes() -> None:
    assert check_boxes(ByColour()) == (True, "IoU 1.000 with a disc, at least 0.9 wanted")


def test_red_is_found_in_rgb_and_not_with_swapped_channels() -> None:
    condition = torch.zeros(1, 1)
    assert check_clipseg(Reddest(0), condition) == (True, "the peak is on the red mug in 4 of 4 pictures")
    assert not check_clipseg(Reddest(2), condition)[0]


def test_a_check_that_cannot_even_run_has_failed() -> None:
    result = run_check("sam", lambda: 1 / 0)
    assert not result.passed and str(result).startswith("FAIL sam: ZeroDivisionError: division by zero (")
