"""The short versions of figures in docs/reliability.md that feed the networks of micro in real time."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.onset_rates import LOADS, under_load
from tests.figures.soak import soak

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_a_node_that_is_fed_for_seconds_answers_and_starts_no_threads() -> None:
    found = soak(15.0)
    assert found.answered >= 1
    assert len({sample.threads for sample in found.settled}) == 1


@pytest.mark.slow
def test_more_onsets_than_can_be_answered_all_end_and_no_more_wait_than_may() -> None:
    found = under_load(LOADS["12 per second"], 5.0)
    assert found.unended == 0 and found.reasons.total() > 12
    assert found.most_waiting <= 4
