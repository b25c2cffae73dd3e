"""What Nav2's lifecycle manager asks for, in its order, with the example configuration for it (docs/ros.md).

Its requests are those of `changeStateForNode` in nav2_lifecycle_manager: a transition, whose answer must be a success, and
after it the state, which must be the one that the transition leads to. Without a bond it asks for nothing else.
"""

from __future__ import annotations

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

from tests.ros.conftest import ROOT

pytestmark = pytest.mark.ros

CONFIGURE = (Transition.TRANSITION_CONFIGURE, "inactive")
ACTIVATE = (Transition.TRANSITION_ACTIVATE, "active")
DEACTIVATE = (Transition.TRANSITION_DEACTIVATE, "inactive")
CLEANUP = (Transition.TRANSITION_CLEANUP, "unconfigured")
SHUTDOWN = (Transition.TRANSITION_UNCONFIGURED_SHUTDOWN, "finalized")
STARTUP, PAUSE, RESUME, RESET = (CONFIGURE, ACTIVATE), (DEACTIVATE,), (ACTIVATE,), (DEACTIVATE, CLEANUP)
END = (DEACTIVATE, CLEANUP, SHUTDOWN)


@pytest.fixture
def example() -> dict:
    return yaml.safe_load((ROOT / "config" / "nav2_lifecycle_manager.yaml").read_text())


def test_startup_pause_resume_reset_and_shutdown_of_the_manager_go_through(make_perception, example) -> None:
    graph = make_perception(start=False, **example["perception"]["ros__parameters"])

    def manage(*steps: tuple[int, str]) -> None:
        for transition, state in steps:
            request = ChangeState.Request(transition=Transition(id=transition))
            assert graph.call(ChangeState, "change_state", request).success, state
            assert graph.call(GetState, "get_state", GetState.Request()).current_state.label == state

    for way_back in (RESET, ()):
        manage(*STARTUP)
        assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS
        manage(*PAUSE, *RESUME)
        assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS
        manage(*way_back)
    manage(*END)


def test_the_example_leaves_starting_to_the_manager_and_asks_for_no_bond(example) -> None:
    manager = example["lifecycle_manager"]["ros__parameters"]
    assert manager["node_names"] == ["perception"] and set(example) == {"lifecycle_manager", "perception"}
    assert manager["bond_timeout"] == 0.0 and manager["autostart"]
    assert example["perception"]["ros__parameters"] == {"autostart": False}
