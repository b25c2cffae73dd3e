"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

from tests.figures.disordered_time import DISORDERS, JUMPS_S, jump, onsets_of_disorder


@pytest.mark.parametrize("kind", JUMPS_S)
def test_no_event_takes_a_frame_from_the_other_side_of_a_jump(kind) -> None:
    found = jump(kind, 3)
    assert found.stale == 0
    assert found.finished >= 12, "most of the 20 impacts"


@pytest.mark.parametrize("kind", DISORDERS)
def test_disorder_in_noise_is_no_onset(kind) -> None:
    assert onsets_of_disorder(kind, 20.0) == 0
