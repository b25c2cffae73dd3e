"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

from tests.figures.failing_disk import WORKS, failures


@pytest.mark.parametrize("name", WORKS)
def test_a_write_that_fails_is_said_in_a_line_leaves_nothing_partial_and_can_be_repeated(name) -> None:
    outcomes = failures(WORKS[name], every=17)
    assert outcomes["one line, nothing partial, the second try equal"] >= 3
    assert set(outcomes) <= {"one line, nothing partial, the second try equal", "not needed, the result equal"}
