"""Times of messages as integer nanoseconds and back."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time

NS_PER_S = 1_000_000_000


def stamp_to_ns(stamp: Any) -> int:
    """Returns the nanoseconds of a `builtin_interfaces/Time`, of rclpy or of rosbags."""
    return stamp.sec * NS_PER_S + stamp.nanosec


def ns_to_stamp(time_ns: int) -> Time:
    """Returns the message of a time in nanoseconds."""
    sec, nanosec = divmod(int(time_ns), NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)
