from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cs3_model.onset.history import SampleHistory


def test_segments_are_addressed_by_absolute_position():
    history = SampleHistory(3)
    history.append(np.arange(5.0))
    assert history.end == 5
    assert history.segment(2, 5).tolist() == [2, 3, 4]
    assert history.segment(4, 9).tolist() == [4]
    assert history.segment(5, 9).tolist() == []


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), max_size=40))
def test_the_last_span_of_samples_is_always_held(counts):
    history = SampleHistory(4)
    for count in counts:
        history.append(np.arange(history.end, history.end + count, dtype=float))
        first = max(0, history.end - 4)
        assert history.start <= first
        assert history.segment(first, history.end).tolist() == list(range(first, history.end))


def test_clear_starts_at_zero():
    history = SampleHistory(2)
    history.append(np.ones(3))
    history.clear()
    history.append(np.array([7.0]))
    assert history.end == 1 and history.segment(0, 1).tolist() == [7]
