from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["ros_drivers", "mgonzs13"])
def test_audio_of_other_packages_arrives_over_a_real_graph(vendor, foreign_workspace, audio_messages_of):
    """Real message classes, real middleware, in an environment that has one of the two audio_common_msgs."""
    setup = foreign_workspace(vendor)
    examples = audio_messages_of(vendor)
    script = Path(__file__).with_name("audio_round_trip.py")

    done = subprocess.run(
        ["bash", "-c", f"source '{setup}' && exec '{sys.executable}' '{script}'"],
        input=json.dumps(examples),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    start_ns = {
        "audio_common_msgs/msg/AudioData": 8_999_500_000,
        "audio_utils_msgs/msg/AudioFrame": 4_999_500_000,
    }
    assert json.loads(done.stdout) == {
        topic_type: [start_ns.get(topic_type, 5_000_000_000), 8000, [[0.5, -0.5]] * 4] for topic_type in examples
    }


@pytest.mark.slow
def test_the_other_package_of_the_same_name_is_told_apart(foreign_workspace):
    setup = foreign_workspace("mgonzs13")
    code = "from cs3_ros.message_types import message_class; message_class('audio_common_msgs/msg/AudioDataStamped')"

    done = subprocess.run(
        ["bash", "-c", f"source '{setup}' && exec '{sys.executable}' -c \"{code}\""],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "has no message AudioDataStamped: another package of the same name may be installed" in done.stderr
