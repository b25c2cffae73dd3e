"""Times of messages as integer nanoseconds and back."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time

NS_PER_S = 1_000_000_000
MAX_STAMP_NS = (2**31 - 3601) * NS_PER_S
"""Latest time that is taken from outside: an hour before the seconds of a message overflow, room to count on from it."""


def stamp_to_ns(stamp: Any) -> int:
    """Returns the nanoseconds of a `builtin_interfaces/Time`, of rclpy or of rosbags."""
    return stamp.sec * NS_PER_S + stamp.nanosec


def check_stamp(stamp_ns: int) -> None:
    """Refuses a stamp that nobody set, or that is no time.

    Raises:
        ValueError: if it is zero, before 1970, or so late that a message could not hold times soon after it.
    """
    if stamp_ns == 0:
        raise ValueError("the stamp is zero; its driver must stamp its messages")
    if not 0 < stamp_ns <= MAX_STAMP_NS:
        raise ValueError(f"the stamp, {stamp_ns / NS_PER_S:.3f} s, is no time after 1970 and before 2038")


def ns_to_stamp(time_ns: int) -> Time:
    """Returns the message of a time in nanoseconds.

    Raises:
        ValueError: if the seconds do not fit into the message, which would end the process in generated code.
    """
    sec, nanosec = divmod(int(time_ns), NS_PER_S)
    if not -(2**31) <= sec < 2**31:
        raise ValueError(f"a time of {sec} s does not fit into a message")
    return Time(sec=sec, nanosec=nanosec)
