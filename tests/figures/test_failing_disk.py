"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import errno
from collections import Counter

import pytest

from tests.figures.failing_disk import WORKS, failures


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(WORKS) - {"bag evaluation"}))
def test_a_write_that_fails_is_said_in_a_line_leaves_nothing_partial_and_can_be_repeated(name) -> None:
    check(failures(WORKS[name], every=17))


@pytest.mark.ros
@pytest.mark.slow
def test_so_it_is_where_a_bag_is_evaluated() -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2")
    check(failures(WORKS["bag evaluation"], every=9, errors=(errno.ENOSPC,)))


def check(outcomes: Counter[str]) -> None:
    assert outcomes["one line, nothing partial, the second try equal"] >= 3
    assert set(outcomes) <= {"one line, nothing partial, the second try equal", "not needed, the result equal"}
