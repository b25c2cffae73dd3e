"""Image preparation against transformers' own processor of the published weights."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from transformers import ViTImageProcessor

from cs3_model.networks.image_input import CLIP, IMAGENET, image_pixels


@pytest.mark.parametrize("normalisation", [IMAGENET, CLIP])
@pytest.mark.parametrize("size_hw", [(720, 1280), (100, 333), (352, 352), (1, 1)])
def test_pixels_equal_those_of_transformers_image_processor(size_hw, normalisation):
    """``preprocessor_config.json`` of CIDAS/clipseg-rd64-refined: ViTImageProcessor, 352 x 352, resample 2.

    Where a value lies between two whole grey levels, torch rounds as the processor's instructions and the order in
    memory have it: one level may differ, on noise in a fifth of the pixels. Without antialiasing it would be dozens.
    """
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    processor = ViTImageProcessor(
        size={"height": 352, "width": 352},
        resample=2,
        image_mean=list(normalisation.mean),
        image_std=list(normalisation.std),
    )
    reference = processor(images=image, input_data_format="channels_last", return_tensors="pt")["pixel_values"]
    grey_levels = torch.tensor(normalisation.std).view(1, 3, 1, 1) * 255
    apart = (image_pixels(image, size=352, normalisation=normalisation) - reference).abs() * grey_levels
    assert apart.max() < 1.05
    assert apart.mean() < 0.25


def test_the_channels_stay_red_green_blue():
    """Pure red, by hand: (1 - .485) / .229, (0 - .456) / .224, (0 - .406) / .225."""
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 0] = 255
    pixels = image_pixels(image, size=2)
    assert pixels.shape == (1, 3, 2, 2)
    for channel, value in enumerate((2.2489, -2.0357, -1.8044)):
        assert pixels[0, channel].flatten().tolist() == pytest.approx([value] * 4, abs=1e-4)


def test_views_and_read_only_images_are_taken_without_a_warning():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    view = image[::2, ::-1]
    read_only = view.copy()
    read_only.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(image_pixels(view, size=8), image_pixels(read_only, size=8))
