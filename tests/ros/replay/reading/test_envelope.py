from __future__ import annotations

import numpy as np
import pytest

from cs3_ros.replay.reading.envelope import Envelope

pytestmark = pytest.mark.ros


def test_a_full_outline_keeps_its_extremes_at_twice_the_span() -> None:
    envelope = Envelope(span_s=1.0, max_buckets=2)
    for time_s, value in ((0.0, 0.5), (1.5, -0.5), (2.5, 0.1)):
        envelope.add(time_s, np.array([value], np.float32))
    assert envelope.span_s == 2.0
    np.testing.assert_allclose(envelope.high, [0.5, 0.1])
    np.testing.assert_allclose(envelope.low, [-0.5, 0.0])


def test_memory_does_not_grow_with_the_recording() -> None:
    envelope = Envelope(span_s=0.01, max_buckets=64)
    for number in range(10_000):
        envelope.add(0.02 * number, np.full(4, np.sin(number), np.float32))
    assert envelope.high.size <= 64 and envelope.span_s * 64 >= 200.0
    assert envelope.high.max() == pytest.approx(1.0, abs=1e-3)
