from __future__ import annotations

import re

import pytest

from cs3_model.weights import WEIGHTS, find_weights
from cs3_model.weights.registry import FOUNDATION


def test_every_entry_can_be_fetched_and_named() -> None:
    for name, weights in WEIGHTS.items():
        assert weights.name == name and weights.licence and weights.megabytes > 0
        assert weights.source.startswith("https://") and weights.filename in weights.source
        assert weights.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", weights.sha256)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown weights 'sam3'; choose among beats, clipseg, "):
        find_weights(["beats", "sam3"])
    assert [weights.name for weights in find_weights(FOUNDATION)] == list(FOUNDATION)
