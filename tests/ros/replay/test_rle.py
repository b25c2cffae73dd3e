"""Masks in COCO's encoding: fixed strings, so that files of earlier versions stay readable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs3_ros.replay.rle import decode_mask, encode_mask

pytestmark = pytest.mark.ros


def ring() -> np.ndarray:
    rows, columns = np.mgrid[:48, :64]
    squared = (rows - 20) ** 2 + (columns - 30) ** 2
    return (squared <= 144) & (squared >= 25)


@pytest.mark.parametrize(
    ("mask", "counts"),
    [
        (np.zeros((3, 4), bool), "<"),
        (np.ones((3, 4), bool), "0<"),
        (np.array([[0, 1], [0, 1]], bool), "22"),
        (ring(), "dk01[18J4M2N2N2N2O0OD[O0d0O^O0b0O@0`00@0?1A0?OA0`00@0`01^O0b01\\O0e0<101N2N2N2N3L6HPo0"),
    ],
)
def test_masks_become_strings_that_never_change(mask, counts) -> None:
    encoded = encode_mask(mask)
    assert encoded == {"size": list(mask.shape), "counts": counts}
    np.testing.assert_array_equal(decode_mask(encoded), mask)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_every_mask_comes_back(height, width, seed, share) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)


@pytest.mark.parametrize("counts", ["22", "9", "", "22222222"])
def test_runs_that_do_not_fill_the_mask_are_refused(counts) -> None:
    """4 of 12 pixels, 9 of 12, none, and more than 12."""
    with pytest.raises(ValueError, match="do not fill its 3 x 4 pixels"):
        decode_mask({"size": [3, 4], "counts": counts})
