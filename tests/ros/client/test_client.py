"""Programs without ROS hear collisions, get answers, and are told what is wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision as CollisionMsg  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402

from cs3_model.types import Verdict  # noqa: E402
from cs3_ros.client import (  # noqa: E402
    CollisionClient,
    PerceptionAbsentError,
    PerceptionRefusedError,
    PerceptionSilentError,
)
from cs3_ros.perception.node import PerceptionNode  # noqa: E402
from tests.ros.conftest import ROOT  # noqa: E402
from tests.ros.perception.perception_graph import RATE_HZ, SPOT_XYXY, NodeProcess, jpeg_picture, picture, raw_picture  # noqa: E402

pytestmark = pytest.mark.ros

SILENCE = np.zeros(2 * RATE_HZ, np.float32)


@pytest.fixture
def pool():
    """Threads for what blocks, while the test spins the graph."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def heard_by(graph) -> int:
    """How many subscribers of collisions the node knows, the test's own left out."""
    return graph.perception.count_subscribers("/perception/collision") - 1


def connected(graph, count: int = 1):
    """Waits until that many clients will get what the node publishes."""
    graph.wait_for(lambda: heard_by(graph) == count, "the client's subscription")


def result_of(graph, future):
    """What a thread returns, while the graph goes on."""
    graph.wait_for(future.done, "the thread")
    return future.result()


def test_each_listener_hears_each_collision(make_perception, pool) -> None:
    graph = make_perception()
    with CollisionClient() as client:
        connected(graph)
        assert client.last() is None
        loops = [pool.submit(lambda heard: [next(heard), next(heard)], client.listen(timeout=60)) for _ in range(2)]
        for _ in range(2):
            graph.play_until_collision()
        first, second = (result_of(graph, loop) for loop in loops)
    assert first == second, "the same objects, in the same order"
    assert first[0].onset_ns < first[1].onset_ns and client.last() is first[1]
    collision = first[0]
    assert collision.verdict is Verdict.TWO_OBJECTS and collision.trained
    assert {role for item in collision.objects for role in item.roles} == {"held right", "heard"}
    assert collision.image is None and collision.objects[0].image_crop is None


@pytest.mark.parametrize("compressed", [False, True])
def test_with_the_camera_s_topic_collisions_come_with_their_image(make_perception, compressed) -> None:
    graph = make_perception()
    image = jpeg_picture if compressed else raw_picture
    with CollisionClient(image="/image") as client:
        connected(graph)
        graph.publisher(type(image(0)), "/image")
        graph.wait_for(lambda: graph.perception.count_subscribers("/image") == 2, "both subscriptions of the camera")
        graph.play_until_collision(image=image)
        graph.wait_for(client.last, "the collision")
        collision = client.last()
    np.testing.assert_allclose(collision.image.astype(int), picture(), atol=30 if compressed else 0)
    heard = collision.with_role("heard")
    assert heard.image_crop.shape[:2] == heard.mask_crop.shape


def test_whoever_waits_for_the_node_is_heard_of_by_it(make_perception, pool) -> None:
    graph = make_perception()
    for _ in range(5):
        with CollisionClient() as client:
            result_of(graph, pool.submit(client.wait_for_node))
            assert graph.perception._outputs._collision.get_subscription_count() == 2, (
                "the test's own, and the client's"
            )
        graph.wait_for(lambda: heard_by(graph) == 0, "the client to leave")


def test_to_wait_for_what_is_no_node_ends_with_a_line(graph) -> None:
    graph.node.create_publisher(CollisionMsg, "/perception/collision", 1)
    with CollisionClient() as client:
        graph.wait_for(lambda: client._link.is_present, "the publisher")
        with pytest.raises(
            PerceptionSilentError, match=r"^/perception did not find this client within 0\.5 s: is .* a bag"
        ):
            client.wait_for_node(timeout=0.5)
        with pytest.raises(ValueError, match="timeout"):
            client.wait_for_node(timeout=float("nan"))
    with pytest.raises(RuntimeError, match="closed"):
        client.wait_for_node()
    absent = pytest.raises(PerceptionAbsentError, match=r"^no node /head/listener publishes")
    with CollisionClient("listener", "/head", patience_s=0.3) as client, absent:
        client.wait_for_node()


def test_a_coroutine_misses_nothing_between_two_calls(make_perception, pool) -> None:
    graph = make_perception()

    listens, may_go_on = threading.Event(), threading.Event()

    async def scene(client: CollisionClient) -> list[int]:
        waiting = asyncio.ensure_future(client.next(timeout=60))
        await asyncio.sleep(0)
        listens.set()
        first = await waiting
        await asyncio.get_running_loop().run_in_executor(None, may_go_on.wait)
        return [collision.onset_ns for collision in (first, await client.next(timeout=60), await client.next(60))]

    with CollisionClient() as client:
        connected(graph)
        done = pool.submit(asyncio.run, scene(client))
        graph.wait_for(listens.is_set, "the coroutine to listen")
        messages = [graph.play_until_collision() for _ in range(3)]
        may_go_on.set()
        heard_ns = result_of(graph, done)
    assert heard_ns == [message.onset.sec * 10**9 + message.onset.nanosec for message in messages]


def test_async_for_ends_when_the_client_is_closed(make_perception) -> None:
    make_perception()

    async def scene() -> list:
        client = CollisionClient()
        asyncio.get_running_loop().call_later(0.1, client.close)
        return [collision async for collision in client.listen()]

    assert asyncio.run(scene()) == []


def test_a_slow_listener_loses_the_oldest_and_knows_it(make_perception) -> None:
    graph = make_perception()
    with CollisionClient(queue_size=1) as client:
        connected(graph)
        listener = client.listen(timeout=10)
        for _ in range(2):
            graph.play_until_collision()
        graph.wait_for(lambda: listener.num_dropped == 1, "the first to be forgotten")
        assert next(listener) is client.last()


def test_segment_answers_with_arrays(make_perception, pool) -> None:
    graph = make_perception()
    with CollisionClient() as client:
        call = {"sample_rate_hz": RATE_HZ, "stamp_ns": 7 * 10**9}
        collision = result_of(graph, pool.submit(client.segment, picture(), SILENCE, **call))
        stereo = np.zeros((2 * RATE_HZ, 2), np.int16)
        again = result_of(graph, pool.submit(asyncio.run, client.segment_async(picture(), stereo, **call)))
        assert client.last() is None, "an answer is for who asked"
    for answer in (collision, again):
        assert answer.verdict is Verdict.TWO_OBJECTS
        assert (answer.onset_ns, answer.stamp_ns) == (7 * 10**9, 7 * 10**9)
    np.testing.assert_array_equal(collision.image, picture())
    x_min, y_min, x_max, y_max = SPOT_XYXY
    assert collision.with_role("heard").mask[(y_min + y_max) // 2, (x_min + x_max) // 2]


def test_segment_works_inside_a_callback_of_another_node(make_perception, pool) -> None:
    graph = make_perception()
    answers: list = []
    with CollisionClient() as client:
        node = rclpy.create_node("robot", context=graph.context)
        executor = SingleThreadedExecutor(context=graph.context)
        executor.add_node(node)
        timer = node.create_timer(0.01, lambda: (timer.cancel(), answers.append(client.segment(picture(), SILENCE))))
        spin = pool.submit(executor.spin_once, timeout_sec=10)
        result_of(graph, spin)
        executor.shutdown()
        node.destroy_node()
    assert answers[0].verdict is Verdict.TWO_OBJECTS


def test_the_node_s_refusal_reaches_the_caller(make_perception, pool) -> None:
    graph = make_perception(start=False)
    refused = pytest.raises(PerceptionRefusedError, match="/perception did not segment: the node is not active")
    with CollisionClient() as client, refused:
        result_of(graph, pool.submit(client.segment, picture(), SILENCE))


BAD_INPUTS = {
    "grey image": (np.zeros((4, 4), np.uint8), SILENCE, 16_000, r"RGB array of shape \[H, W, 3\]"),
    "no audio": (picture(), [], 16_000, r"audio must be samples \[T\] or \[T, channels\]"),
    "integers": (picture(), np.zeros(9, np.int64), 16_000, "floats in .* or int16, got int64"),
    "rate": (picture(), SILENCE, 0, "sample_rate_hz must be a whole number from 4000 to 768000, got 0"),
}


@pytest.mark.parametrize("image, audio, rate_hz, words", BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_what_cannot_be_sent_is_named(image, audio, rate_hz, words) -> None:
    with CollisionClient() as client, pytest.raises(ValueError, match=words):
        client.segment(image, audio, sample_rate_hz=rate_hz)


def test_an_absent_node_is_named_with_what_to_do() -> None:
    with CollisionClient("listener", "/head", patience_s=0.3) as client:
        words = r"^no node /head/listener publishes /head/listener/collision: start it \(ros2 launch .*ROS_DOMAIN_ID"
        with pytest.raises(PerceptionAbsentError, match=words):
            next(client.listen())
        with pytest.raises(PerceptionAbsentError, match=words):
            asyncio.run(client.next())
        with pytest.raises(PerceptionAbsentError, match=words):
            client.segment(picture(), SILENCE)


def test_a_node_that_is_killed_is_missed_long_before_the_patience_is_over(graph) -> None:
    code = """
import rclpy
from cs3_ros.perception.node import PerceptionNode
rclpy.init()
rclpy.spin(PerceptionNode())
"""
    with NodeProcess(code) as node, CollisionClient(patience_s=600.0) as client:
        client.wait_for_node(timeout=60.0)
        node.process.kill()
        with pytest.raises(PerceptionAbsentError, match="the node /perception has ended or cannot be reached"):
            next(client.listen())


def test_a_silent_node_s_own_diagnosis_is_repeated(make_perception, pool) -> None:
    graph = make_perception()
    with CollisionClient() as client:
        result_of(graph, pool.submit(client.wait_for_node))  # a diagnosis may come before the heartbeat
        graph.wait_for(lambda: "nobody publishes" in client.diagnosis(), "the diagnosis")
        words = "no collision from /perception/collision within 0.1 s: it is active and says: nobody publishes"
        with pytest.raises(PerceptionSilentError, match=words) as caught:
            result_of(graph, pool.submit(next, client.listen(timeout=0.1)))
        assert isinstance(caught.value, TimeoutError)


def test_a_node_of_another_namespace_that_is_not_active_says_so(graph, pool) -> None:
    node = PerceptionNode(context=graph.context, namespace="/head")
    executor = SingleThreadedExecutor(context=graph.context)
    executor.add_node(node)
    with CollisionClient(namespace="head") as client:
        met = pool.submit(client.wait_for_node)
        while not met.done() or "unconfigured" not in client.diagnosis():
            executor.spin_once(timeout_sec=0.02)
        met.result()
        with pytest.raises(
            PerceptionSilentError, match=r"/head/perception/collision .* it is unconfigured: activate it"
        ):
            next(client.listen(timeout=0.1))
    executor.shutdown()
    node.destroy_node()


def test_a_closed_client_refuses_and_leaves_nothing_behind(make_perception) -> None:
    graph = make_perception()
    client = CollisionClient()
    connected(graph)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.listen()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.segment(picture(), SILENCE)
    connected(graph, 0)
    assert not any(thread.name == "collision_client" for thread in threading.enumerate())


def test_a_program_that_forgets_to_close_ends_cleanly() -> None:
    code = "from cs3_ros.client import CollisionClient; client = CollisionClient(); print(client.last())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")


def test_a_program_that_listens_loads_no_library_of_the_node() -> None:
    """Importing them would take several times as long as all else that a client needs."""
    code = "import sys, cs3_ros.client; print({'scipy', 'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_hundred_requests_at_once_are_all_answered_though_the_node_was_busy_meanwhile(make_perception) -> None:
    """Nothing spins the node until all are sent."""
    graph = make_perception()
    with CollisionClient() as client, ThreadPoolExecutor(100) as pool:
        graph.wait_for(lambda: client._link.can_segment, "the service")
        answers = [pool.submit(client.segment, picture(), SILENCE, timeout=60.0) for _ in range(100)]
        time.sleep(2.0)
        assert not any(answer.done() for answer in answers)
        graph.wait_for(lambda: all(answer.done() for answer in answers), "all answers")
        assert all(answer.result().verdict is not None for answer in answers)
