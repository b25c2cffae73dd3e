"""The perception node with messages of packages that pip does not have: look-alikes built by the real generators."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("vendor", ["ros_drivers", "mgonzs13"])
def test_collisions_are_heard_through_every_type_of_audio(vendor, foreign_workspace, audio_messages_of) -> None:
    """And where vision_msgs is installed, the boxes of the masks are published as detections."""
    setup = foreign_workspace(vendor)
    types = list(audio_messages_of(vendor))

    done = subprocess.run(
        [
            "bash",
            "-c",
            f"source '{setup}' && PYTHONPATH='{ROOT}':$PYTHONPATH exec \"$@\"",
            "bash",
            sys.executable,
            "-m",
            "tests.ros.perception.perceive_foreign_audio",
            *types,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert list(results) == types
    for topic_type, (error_ms, verdict, boxes) in results.items():
        # Without stamps, the arrival counts, which a busy machine delays.
        assert abs(error_ms) < (100 if topic_type.endswith("AudioData") else 3), topic_type
        assert verdict == 2, topic_type
        if vendor == "ros_drivers":
            assert ["right hand", 60.0, 20.0] in boxes
