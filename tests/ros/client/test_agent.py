"""The example runs as a user starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

import cv2

from tests.ros.conftest import ROOT
from tests.ros.perception.perception_graph import START_S

pytestmark = pytest.mark.ros


def test_the_agent_says_what_it_hears_and_keeps_pictures_of_the_objects(make_perception, tmp_path) -> None:
    graph = make_perception()
    command = [sys.executable, "examples/agent.py", "--image", "/image", "--out", str(tmp_path)]
    # A test run in the background ignores Ctrl-C, and would hand that down.
    heed_interrupts = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    agent = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    graph.play(0.1, ())  # makes the publishers
    for topic in ("/perception/collision", "/image"):
        count = partial(graph.node.count_subscribers, topic)
        graph.wait_for(lambda count=count: count() == 2, f"the agent to listen to {topic}", START_S)
    graph.play_until_collision(real_time=True)
    graph.wait_for(lambda: len(list(tmp_path.glob("*.png"))) == 2, "two pictures")
    agent.send_signal(signal.SIGINT)
    said, errors = agent.communicate(timeout=START_S)
    assert (agent.returncode, errors) == (0, "")
    assert said.count("two objects collided") == 1 and "Do not act" not in said
    pictures = sorted(tmp_path.glob("*.png"))
    assert [path.stem.split("_", 2)[2] for path in pictures] == ["held-right", "heard"]
    assert all(cv2.imread(str(path)).size for path in pictures)
