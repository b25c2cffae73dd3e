"""Whatever a user hands to the client ends in one clear line, never in generated code that ends the process."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from rclpy.serialization import serialize_message

from cs3_ros.client import CollisionClient
from cs3_ros.client.request import segment_request

pytestmark = pytest.mark.ros

IMAGE = np.zeros((12, 16, 3), np.uint8)
SOUND = np.zeros(32_000, np.float32)
GOOD = {"image": IMAGE, "audio": SOUND, "sample_rate_hz": 16_000, "stamp_ns": 0}

ACCEPTED = [
    ("sample_rate_hz", 16_000.0),
    ("sample_rate_hz", np.int64(16_000)),
    ("sample_rate_hz", np.uint16(16_000)),
    ("sample_rate_hz", np.float32(16_000)),
    ("sample_rate_hz", np.array(16_000)),
    ("sample_rate_hz", Fraction(16_000)),
    ("stamp_ns", np.int64(10**18)),
    ("stamp_ns", 5.0),
    ("audio", SOUND.astype(float)),
    ("audio", SOUND.astype(np.float16)),
    ("audio", SOUND.astype(np.int16)),
    ("audio", SOUND.astype(">i2").astype(np.int16)),
    ("audio", SOUND[::2]),
    ("audio", SOUND.tolist()),
    ("audio", np.zeros((32_000, 2))),
    ("image", IMAGE[::-1, ::2]),
]
REFUSED = [
    ("sample_rate_hz", "16000", "sample_rate_hz must be a whole number from 4000 to 768000, got '16000'"),
    ("sample_rate_hz", float("nan"), "sample_rate_hz must be"),
    ("sample_rate_hz", float("inf"), "sample_rate_hz must be"),
    ("sample_rate_hz", True, "sample_rate_hz must be"),
    ("sample_rate_hz", None, "sample_rate_hz must be"),
    ("sample_rate_hz", 0, "sample_rate_hz must be"),
    ("sample_rate_hz", -16_000, "sample_rate_hz must be"),
    ("sample_rate_hz", 2**63, "sample_rate_hz must be"),
    ("sample_rate_hz", 16_000.5, "sample_rate_hz must be"),
    ("sample_rate_hz", 1j, "sample_rate_hz must be"),
    ("sample_rate_hz", [16_000], "sample_rate_hz must be"),
    ("stamp_ns", -1, "stamp_ns must be a whole number from 0"),
    ("stamp_ns", 1_700_000_000.25, r"stamp_ns must be .*time.time_ns\(\)"),
    ("stamp_ns", 1e18, "stamp_ns must be"),
    ("stamp_ns", 2**63, "stamp_ns must be"),
    ("stamp_ns", (2**31) * 10**9, "stamp_ns must be"),
    ("stamp_ns", "now", "stamp_ns must be"),
    ("stamp_ns", None, "stamp_ns must be"),
    ("image", None, "uint8 RGB array"),
    ("image", IMAGE.tolist(), "uint8 RGB array"),
    ("image", b"abc", "uint8 RGB array"),
    ("image", IMAGE.astype(float), "uint8 RGB array"),
    ("image", IMAGE[..., 0], "uint8 RGB array"),
    ("image", np.zeros((3, 12, 16), np.uint8), "uint8 RGB array"),
    ("image", IMAGE[:0], "must not be empty"),
    ("image", np.broadcast_to(IMAGE[:1, :1], (16_000, 16_000, 3)), "more than 40 million pixels"),
    ("audio", None, "audio must be"),
    ("audio", SOUND[:0], "audio must be samples"),
    ("audio", np.float32(1), "audio must be samples"),
    ("audio", SOUND.reshape(1, 1, -1), "audio must be samples"),
    ("audio", SOUND.astype(np.int32), "audio must be floats"),
    ("audio", SOUND.astype(np.uint8), "audio must be floats"),
    ("audio", SOUND.astype(complex), "audio must be floats"),
    ("audio", ["a", "b"], "audio must be floats"),
    ("audio", [[1.0], [1.0, 2.0]], "rows of different lengths"),
    ("audio", np.full(32_000, np.nan), "audio must be finite"),
    ("audio", np.full(32_000, np.inf), "audio must be finite"),
    ("audio", np.full(32_000, 1e300), "audio must be finite"),
    ("audio", np.full(32_000, 20_000.0), "audio must be finite floats"),
    ("audio", np.zeros((2, 32_000), np.float32), "channels must be 1 to 64"),
    ("audio", np.zeros(16_000 * 600, np.float32), "audio of 600.0 s is too long"),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_numbers_and_arrays_of_every_kind_are_converted(name, value):
    request = segment_request(**{**GOOD, name: value})

    assert serialize_message(request)
    assert type(request.audio.sample_rate) is int and type(request.image.header.stamp.sec) is int


@pytest.mark.parametrize(("name", "value", "complaint"), REFUSED)
def test_what_cannot_be_sent_is_refused_in_one_line(name, value, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        segment_request(**{**GOOD, name: value})
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 250


@pytest.fixture(scope="module")
def client():
    with CollisionClient() as client:
        yield client


@pytest.mark.parametrize("timeout", ["5", -1, float("nan"), True, 1j, [1]])
def test_timeouts_that_are_no_seconds_are_refused(client, timeout):
    for call in (lambda: client.segment(IMAGE, SOUND, timeout=timeout), lambda: client.listen(timeout=timeout)):
        with pytest.raises(ValueError, match="timeout must be a number of seconds, 0 or more, got"):
            call()


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ({"node": "two words"}, "cannot all be names in ROS"),
        ({"node": ""}, "cannot all be names in ROS"),
        ({"node": None}, "node must be a string"),
        ({"namespace": "a b"}, "cannot all be names in ROS"),
        ({"namespace": 3}, "namespace must be a string"),
        ({"image": "1bad"}, "cannot all be names in ROS"),
        ({"image": "nul\0"}, "image must be a string"),
        ({"queue_size": 0}, "queue_size must be a whole number"),
        ({"queue_size": 1.5}, "queue_size must be a whole number"),
        ({"image_buffer_mb": "256"}, "image_buffer_mb must be a whole number"),
        ({"patience_s": float("nan")}, "patience_s must be a number of seconds"),
        ({"patience_s": None}, "patience_s must be a number of seconds"),
    ],
)
def test_bad_clients_are_refused_in_one_line(argument, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        CollisionClient(**argument)
    assert len(str(caught.value).splitlines()) == 1
