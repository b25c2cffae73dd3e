from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time

from cs3_ros.conversions.times import ns_to_stamp, stamp_to_ns

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("time_ns", [0, 1, 999_999_999, 1_000_000_000, 1_763_881_200_123_456_789])
def test_times_keep_every_nanosecond(time_ns):
    assert stamp_to_ns(ns_to_stamp(time_ns)) == time_ns


def test_seconds_and_nanoseconds_are_separate():
    assert ns_to_stamp(2_000_000_003) == Time(sec=2, nanosec=3)
