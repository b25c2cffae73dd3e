"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from tests.figures.px4_faults import react

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_sound_that_ends_and_pictures_that_are_garbage_are_said_and_so_is_their_recovery() -> None:
    for reaction in react(["audio: off", "image: garbage"]):
        assert reaction.said_after_s is not None and reaction.over_after_s is not None, reaction
