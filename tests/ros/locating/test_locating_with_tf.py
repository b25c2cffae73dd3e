"""The locator follows real /tf and /tf_static, in an environment that has tf2_msgs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ros.conftest import ROOT

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_a_camera_on_a_moving_robot_is_followed(foreign_workspace):
    """0.2 m to the right of a camera that is 1.5 m up on a base, which is halfway on its 2 m: x is 1.2, z 1.5 + 1."""
    script = Path(__file__).with_name("locate_with_tf.py")
    command = (
        f"source '{foreign_workspace('tf')}' && PYTHONPATH='{ROOT}':$PYTHONPATH exec '{sys.executable}' '{script}'"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    frame, source, *xyz, reason = json.loads(done.stdout)
    assert (frame, source, reason) == ("map", 1, "")
    assert xyz == pytest.approx([1.2, 0.0, 2.5], abs=1e-6)
