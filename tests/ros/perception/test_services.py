"""~/segment answers out of turn and never without a reason; ~/enable switches listening."""

from __future__ import annotations

import threading
from array import array

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision  # noqa: E402
from cs3_msgs.srv import SegmentCollision  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from cs3_ros.conversions.times import NS_PER_S, stamp_to_ns  # noqa: E402
from tests.ros.perception.perception_graph import (  # noqa: E402
    BLOCK_S,
    RATE_HZ,
    WINDOW_S,
    jpeg_picture,
    raw_picture,
    sound_chunk,
)

pytestmark = pytest.mark.ros

STAMP_NS = 7 * NS_PER_S


def segment_request(**fields) -> SegmentCollision.Request:
    sound = sound_chunk(np.zeros(2 * RATE_HZ), STAMP_NS - NS_PER_S)
    return SegmentCollision.Request(**{"image": raw_picture(STAMP_NS), "audio": sound, **fields})


class Hold:
    """Holds a part of the pipeline inside its work until opened."""

    def __init__(self, part, method: str, monkeypatch) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        work = getattr(part, method)

        def held(*args):
            self.entered.set()
            assert self.open.wait(20.0)
            return work(*args)

        monkeypatch.setattr(part, method, held)


@pytest.mark.parametrize("compressed", [False, True])
def test_segment_answers_with_the_collision_of_its_image(make_perception, compressed) -> None:
    graph = make_perception()
    image = {"image": segment_request().image.__class__(), "compressed_image": jpeg_picture(STAMP_NS)}
    answer = graph.call(SegmentCollision, "segment", segment_request(**(image if compressed else {})))
    assert answer.success and answer.message == ""
    assert answer.collision.verdict == Collision.VERDICT_TWO_OBJECTS
    assert stamp_to_ns(answer.collision.onset) == STAMP_NS
    assert stamp_to_ns(answer.collision.header.stamp) == STAMP_NS
    assert not graph.collisions, "an answer is for who asked"


def bad_requests() -> dict[str, tuple[dict, str]]:
    short = sound_chunk(np.zeros(1000), STAMP_NS)
    silent = sound_chunk(np.zeros(10), STAMP_NS)
    silent.data = array("B")
    depth = raw_picture(STAMP_NS)
    depth.encoding = "16UC1"
    text = jpeg_picture(STAMP_NS)
    text.data = array("B", b"not found")
    nothing = type(depth)()
    return {
        "no image": ({"image": nothing}, "fill image or compressed_image"),
        "depth image": ({"image": depth}, "depth image"),
        "text as jpeg": ({"image": nothing, "compressed_image": text}, "neither JPEG nor PNG"),
        "no audio": ({"audio": silent}, "got 0"),
        "short audio": ({"audio": short}, "at least 2800 samples"),
    }


@pytest.mark.parametrize("fields, words", bad_requests().values(), ids=bad_requests())
def test_a_bad_request_is_answered_with_what_is_wrong(make_perception, fields, words) -> None:
    graph = make_perception()
    answer = graph.call(SegmentCollision, "segment", segment_request(**fields))
    assert not answer.success and words in answer.message
    assert graph.call(SegmentCollision, "segment", segment_request()).success


def test_segment_says_that_the_node_is_not_active(make_perception) -> None:
    graph = make_perception(start=False)
    answer = graph.call(SegmentCollision, "segment", segment_request())
    assert not answer.success and answer.message == "the node is not active: activate it first"


def test_a_failing_part_is_told_to_the_caller(make_perception, monkeypatch) -> None:
    graph = make_perception()
    monkeypatch.setattr(graph.parts["boxes"], "segment", lambda *_: 1 / 0)
    answer = graph.call(SegmentCollision, "segment", segment_request())
    assert not answer.success and "division by zero" in answer.message


def test_calls_at_once_are_all_answered_before_events_that_wait(make_perception, monkeypatch) -> None:
    graph = make_perception()
    hold = Hold(graph.parts["boxes"], "segment", monkeypatch)
    heard: list[int] = []
    hear = graph.parts["audio_visual"].embed_audio
    monkeypatch.setattr(
        graph.parts["audio_visual"], "embed_audio", lambda window: heard.append(window.start_ns) or hear(window)
    )
    graph.play(onsets_s=[0.2])
    graph.wait_for(hold.entered.is_set, "the first event to be worked on")
    graph.play(onsets_s=[0.2])
    futures = [graph.call_async(SegmentCollision, "segment", segment_request()) for _ in range(3)]
    graph.wait_for(lambda: graph.status()[1]["events_waiting"] == "4", "three requests and an event that wait")
    assert graph.call(SetBool, "enable", SetBool.Request(data=True)).success, "other callbacks run meanwhile"
    hold.open.set()
    graph.wait_for_collisions(2)
    graph.wait_for(lambda: all(future.done() for future in futures), "all answers")
    assert all(future.result().success for future in futures)
    assert [start_ns == STAMP_NS - NS_PER_S for start_ns in heard] == [False, True, True, True, False]


def test_deactivation_answers_requests_that_wait(make_perception, monkeypatch) -> None:
    graph = make_perception()
    hold = Hold(graph.parts["boxes"], "segment", monkeypatch)
    graph.play(onsets_s=[0.2])
    graph.wait_for(hold.entered.is_set, "an event to be worked on")
    waiting = graph.call_async(SegmentCollision, "segment", segment_request())
    graph.wait_for(lambda: graph.status()[1]["events_waiting"] == "1", "a request that waits")
    threading.Timer(0.1, hold.open.set).start()
    graph.perception.trigger_deactivate()
    graph.wait_for(waiting.done, "an answer")
    assert not waiting.result().success and waiting.result().message == "perception was shut down"


def test_enable_switches_listening_off_and_on(make_perception) -> None:
    graph = make_perception(patience_s=10.0)
    graph.play_until_collision()
    answer = graph.call(SetBool, "enable", SetBool.Request(data=False))
    assert answer.success and answer.message == "not listening"
    graph.play()
    graph.play()
    num_blocks = str(round((1.0 + WINDOW_S + 0.2 + 1.0 + 1.0) / BLOCK_S))
    graph.wait_for(lambda: graph.status()[1]["audio_messages"] == num_blocks, "all sound to have come and gone")
    assert graph.status()[1]["enabled"] == "False"
    answer = graph.call(SetBool, "enable", SetBool.Request(data=True))
    assert answer.success and answer.message == "listening"
    graph.play_until_collision()
    assert [collision.reason for collision in graph.collisions] == ["closest_pair"] * 2


def test_switching_off_ends_what_waits_for_its_sound(make_perception) -> None:
    graph = make_perception(patience_s=10.0)
    graph.play(0.6, [0.5])
    graph.wait_for(lambda: graph.status()[1].get("onsets_confirmed") == "1", "the onset to be confirmed")
    graph.call(SetBool, "enable", SetBool.Request(data=False))
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "stopped" and collision.detail == "perception was switched off"
