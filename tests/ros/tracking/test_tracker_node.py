"""The node tracker on a real graph: who asks for a collision gets its objects frame by frame, or the reason why not."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from action_msgs.msg import GoalStatus  # noqa: E402
from action_msgs.srv import CancelGoal  # noqa: E402
from cs3_msgs.action import TrackCollision  # noqa: E402
from cs3_msgs.msg import Collision, CollisionMask  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from cs3_model.tracking.flow_tracker import FlowTracker  # noqa: E402
from cs3_ros.client import CollisionClient, PerceptionAbsentError, PerceptionRefusedError  # noqa: E402
from cs3_ros.client.collision import Collision as HeardCollision  # noqa: E402
from cs3_ros.client.collision import collision_of  # noqa: E402
from cs3_ros.conversions.images import image_to_msg, mask_to_png  # noqa: E402
from cs3_ros.conversions.times import ns_to_stamp  # noqa: E402
from cs3_ros.qos import publication  # noqa: E402
from cs3_ros.tracking.goals import _MAX_REMEMBERED  # noqa: E402
from cs3_ros.tracking.node import TrackerNode  # noqa: E402
from tests.model.conftest import FilledBoxes  # noqa: E402
from tests.ros.conftest import DEADLINE_S  # noqa: E402
from tests.ros.perception.perception_graph import START_S, NodeProcess  # noqa: E402

pytestmark = pytest.mark.ros

MS = 1_000_000
START_NS = 1000 * 1_000_000_000
HEIGHT, WIDTH, SIDE = 96, 128, 24
rng = np.random.default_rng(0)
GROUND = np.kron(rng.integers(0, 90, (HEIGHT // 4, WIDTH // 4, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
SQUARE = np.kron(rng.integers(160, 255, (SIDE // 4, SIDE // 4, 3), np.uint8), np.ones((4, 4, 1), np.uint8))


def left_at(step: int) -> int:
    """Where the square is: it moves three pixels per frame, ten frames per second."""
    return 10 + 3 * step


def picture(step: int, size_hw: tuple[int, int] = (HEIGHT, WIDTH)):
    image = np.zeros((*size_hw, 3), np.uint8)
    image[:HEIGHT, :WIDTH] = GROUND[: size_hw[0], : size_hw[1]]
    image[30 : 30 + SIDE, left_at(step) : left_at(step) + SIDE] = SQUARE
    return image_to_msg(image, Header(stamp=ns_to_stamp(stamp_ns(step)), frame_id="camera"))


def stamp_ns(step: int) -> int:
    return START_NS + 100 * MS * step


def onset_ns(step: int) -> int:
    """Between two frames, as onsets are."""
    return stamp_ns(step) + 7 * MS


def collision(step: int = 0, *, with_mask: bool = True) -> Collision:
    header = Header(stamp=ns_to_stamp(stamp_ns(step)), frame_id="camera")
    msg = Collision(header=header, onset=ns_to_stamp(onset_ns(step)), reason="no_candidate", trained=True)
    if with_mask:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[30 : 30 + SIDE, left_at(step) : left_at(step) + SIDE] = True
        box = [float(edge) for edge in (left_at(step), 30, left_at(step) + SIDE, 30 + SIDE)]
        found = CollisionMask(role=CollisionMask.ROLE_AUDIO_VISUAL, score=0.5, box=box, reason="heard")
        found.mask_compressed = mask_to_png(mask, header)
        msg.verdict, msg.reason, msg.masks = Collision.VERDICT_ONE_OBJECT, "single_mask", [found]
    return msg


class TrackerGraph:
    """A tracker, a camera and what publishes collisions, spun by a thread: clients may block."""

    def __init__(self, **parameters) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.tracker = TrackerNode(FlowTracker(FilledBoxes()), context=self.context, parameter_overrides=overrides)
        self.node = rclpy.create_node("camera", context=self.context)
        depth = publication(100)
        self.camera = self.node.create_publisher(type(picture(0)), "/image", depth)
        self.perception = self.node.create_publisher(Collision, "/perception/collision", depth)
        self.action: ActionClient = ActionClient(self.node, TrackCollision, "/tracker/track")
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.tracker)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)
        self.thread.start()
        wait_for(lambda: self.camera.get_subscription_count() and self.perception.get_subscription_count())
        wait_for(self.action.server_is_ready)

    def send_frames(self, steps, size_hw=(HEIGHT, WIDTH)) -> None:
        """Publishes frames, each once the one before has arrived: the tracker's queue is short."""
        for step in steps:
            before = self.tracker._images.num_messages
            self.camera.publish(picture(step, size_hw))
            wait_for(lambda before=before: self.tracker._images.num_messages > before)

    def send_collision(self, msg: Collision) -> None:
        before = len(self.tracker._recent._remembered)
        self.perception.publish(msg)
        wait_for(lambda: len(self.tracker._recent._remembered) in (before + 1, _MAX_REMEMBERED))

    def goal(self, onset_ns: int, duration_s: float = 0.5):
        """Sends a goal as any program on the graph does; returns its handle, accepted."""
        request = TrackCollision.Goal(onset=ns_to_stamp(onset_ns), duration_s=duration_s)
        handle = result_of(self.action.send_goal_async(request))
        assert handle.accepted
        return handle

    def answer(self, onset_ns: int, duration_s: float = 0.5) -> tuple[int, TrackCollision.Result]:
        """Status and result of a goal."""
        answer = result_of(self.goal(onset_ns, duration_s).get_result_async())
        return answer.status, answer.result

    def close(self) -> None:
        self.executor.shutdown()
        self.thread.join()
        self.tracker.close()
        self.node.destroy_node()
        self.context.shutdown()


def wait_for(condition: Callable[[], object], timeout_s: float = DEADLINE_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.01)


def result_of(future):
    wait_for(future.done)
    return future.result()


@pytest.fixture
def graph() -> Iterator[TrackerGraph]:
    graph = TrackerGraph(max_duration_s=10.0)
    yield graph
    graph.close()


def heard(msg: Collision) -> HeardCollision:
    return collision_of(msg)


def test_a_program_without_ros_follows_what_collided(graph) -> None:
    graph.send_frames(range(8))
    graph.send_collision(collision())
    with CollisionClient(patience_s=DEADLINE_S) as client:
        track = client.track(heard(collision()), duration_s=0.5)
        frames = list(track)
    assert [(frame.stamp_ns - START_NS) // MS for frame in frames] == [100, 200, 300, 400, 500]
    for step, frame in enumerate(frames, start=1):
        (found,) = frame.objects
        assert found.visible and found.mask.shape == (HEIGHT, WIDTH)
        assert found.box_xyxy == pytest.approx((left_at(step), 30, left_at(step) + SIDE, 54), abs=2)
        assert frame.frame_id == "camera"
    assert (track.outcome.reason, track.outcome.num_frames, track.num_dropped) == ("done", 5, 0)


def test_a_coroutine_follows_too(graph) -> None:
    graph.send_frames(range(8))
    graph.send_collision(collision())

    async def follow() -> list[int]:
        with CollisionClient(patience_s=DEADLINE_S) as client:
            return [frame.stamp_ns async for frame in client.track(heard(collision()), duration_s=0.3)]

    assert asyncio.run(follow()) == [stamp_ns(step) for step in (1, 2, 3)]


def test_leaving_the_block_cancels(graph) -> None:
    graph.send_frames(range(4))
    graph.send_collision(collision())
    with CollisionClient(patience_s=DEADLINE_S) as client:
        with client.track(heard(collision()), duration_s=9.0) as track:
            assert next(track).stamp_ns == stamp_ns(1)
        wait_for(lambda: track.outcome)
        assert track.outcome.reason == "cancelled"
        rest = [frame.stamp_ns for frame in track]
        assert rest == [stamp_ns(2), stamp_ns(3)][: len(rest)], "what had come, and then the end"
        track.cancel()
    wait_for(lambda: not graph.tracker._followings)


@pytest.mark.parametrize(
    ("duration_s", "words"), [(0.0, "got 0"), (-1.0, "got -1"), (11.0, r"in \(0, 10\], got 11"), (float("nan"), "nan")]
)
def test_a_duration_out_of_its_range_is_refused(graph, duration_s, words) -> None:
    graph.send_frames([0])
    graph.send_collision(collision())
    status, result = graph.answer(onset_ns(0), duration_s)
    assert (status, result.reason) == (GoalStatus.STATUS_ABORTED, "bad_duration")
    assert re.search(words, result.detail)


def test_an_event_that_never_was_is_named(graph) -> None:
    graph.send_collision(collision())
    _, result = graph.answer(onset_ns(0) + 1)
    assert result.reason == "unknown_event" and f"the onset {onset_ns(0) + 1} ns" in result.detail


def test_an_event_that_is_too_old_is_named(graph) -> None:
    for step in range(_MAX_REMEMBERED + 1):
        graph.send_collision(collision(step, with_mask=False))
    _, result = graph.answer(onset_ns(0))
    assert result.reason == "too_old" and "ask sooner" in result.detail


def test_an_event_whose_image_is_gone_is_named(graph) -> None:
    graph.send_collision(collision())
    graph.send_frames([5])
    _, result = graph.answer(onset_ns(0))
    assert result.reason == "too_old" and "the image of the collision is not in memory" in result.detail


def test_an_event_without_masks_is_named(graph) -> None:
    graph.send_frames([0])
    graph.send_collision(collision(with_mask=False))
    _, result = graph.answer(onset_ns(0))
    assert result.reason == "no_masks"


def test_a_collision_that_cannot_be_read_is_named(graph) -> None:
    broken = collision()
    broken.masks[0].mask_compressed.data = b"no png"
    graph.send_frames([0])
    graph.send_collision(broken)
    _, result = graph.answer(onset_ns(0))
    assert result.reason == "error" and result.detail.startswith("the collision cannot be read: ")


def test_the_newest_goal_wins_and_the_earlier_is_told(graph) -> None:
    graph.send_frames(range(2))
    graph.send_collision(collision())
    first = graph.goal(onset_ns(0), 9.0).get_result_async()
    second = graph.goal(onset_ns(0), 0.3).get_result_async()
    answer = result_of(first)
    assert (answer.status, answer.result.reason) == (GoalStatus.STATUS_ABORTED, "superseded")
    graph.send_frames(range(2, 4))
    answer = result_of(second)
    assert (answer.status, answer.result.reason, answer.result.num_frames) == (GoalStatus.STATUS_SUCCEEDED, "done", 3)


def test_a_goal_is_cancelled_at_any_time_and_after_its_end_without_harm(graph) -> None:
    graph.send_frames(range(2))
    graph.send_collision(collision())
    handle = graph.goal(onset_ns(0), 9.0)
    assert len(result_of(handle.cancel_goal_async()).goals_canceling) == 1
    answer = result_of(handle.get_result_async())
    assert (answer.status, answer.result.reason) == (GoalStatus.STATUS_CANCELED, "cancelled")
    refused = result_of(handle.cancel_goal_async())
    assert refused.return_code == CancelGoal.Response.ERROR_GOAL_TERMINATED and not refused.goals_canceling
    graph.send_frames(range(2, 5))
    assert graph.answer(onset_ns(0), 0.2)[1].reason == "done"


def test_frames_that_stop_end_it(graph) -> None:
    graph.send_frames(range(3))
    graph.send_collision(collision())
    status, result = graph.answer(onset_ns(0), 9.0)
    assert (status, result.reason, result.num_frames) == (GoalStatus.STATUS_ABORTED, "frames_stopped", 2)
    assert "see that the camera runs" in result.detail


def test_frames_of_another_size_end_it(graph) -> None:
    graph.send_frames(range(2))
    graph.send_collision(collision())
    answer = graph.goal(onset_ns(0), 9.0).get_result_async()
    graph.send_frames([2], (HEIGHT + 20, WIDTH + 20))
    assert result_of(answer).result.reason == "frame_size"


def test_a_client_that_is_gone_ends_it(graph) -> None:
    graph.send_frames(range(2))
    graph.send_collision(collision())
    graph.action.destroy()  # it would hear the feedback too
    with CollisionClient(patience_s=DEADLINE_S) as client:
        track = client.track(heard(collision()), duration_s=9.0)
        next(track)
        assert graph.tracker._followings
    step = 2
    deadline_s = time.monotonic() + DEADLINE_S
    while graph.tracker._followings:
        assert time.monotonic() < deadline_s, "it follows for nobody"
        graph.send_frames([step])  # so that it is not the frames that end it
        step = step + 1 if step < 20 else step
        time.sleep(0.1)
    assert list(track) == [] or track.outcome is None, "the closed client's loop ends"


@pytest.mark.timeout(180)  # a third of the patience
def test_a_tracker_that_is_killed_is_missed_long_before_the_patience_is_over() -> None:
    code = """
import rclpy
from cs3_model.tracking.flow_tracker import FlowTracker
from cs3_ros.tracking.node import TrackerNode
from tests.model.conftest import FilledBoxes
rclpy.init()
rclpy.spin(TrackerNode(FlowTracker(FilledBoxes())))
"""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("camera", context=context)
    camera = node.create_publisher(type(picture(0)), "/image", publication(100))
    perception = node.create_publisher(Collision, "/perception/collision", publication(100))
    with NodeProcess(code) as tracker, CollisionClient(patience_s=600.0) as client:
        wait_for(lambda: camera.get_subscription_count() and perception.get_subscription_count(), START_S)
        perception.publish(collision())
        for step in range(2):
            camera.publish(picture(step))
        track = client.track(heard(collision()), duration_s=9.0)
        next(track)
        tracker.process.kill()
        with pytest.raises(PerceptionAbsentError, match="/tracker, which follows objects, has ended: start it"):
            list(track)
    node.destroy_node()
    context.shutdown()


def test_without_a_tracker_the_client_says_what_to_start() -> None:
    with (
        CollisionClient(patience_s=0.2) as client,
        pytest.raises(PerceptionAbsentError, match=r"/tracker, which follows objects, is not there: start it \(ros2"),
    ):
        next(client.track(heard(collision())))


def test_the_client_says_why_the_tracker_gave_up(graph) -> None:
    with CollisionClient(patience_s=DEADLINE_S) as client:
        track = client.track(heard(collision()))
        with pytest.raises(PerceptionRefusedError, match=r"/tracker stopped following \(unknown_event\): no collision"):
            next(track)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), 1e300, "long"])
def test_the_client_refuses_what_is_no_duration(duration_s) -> None:
    with CollisionClient() as client, pytest.raises(ValueError, match="duration_s must be"):
        client.track(heard(collision()), duration_s)


def test_the_client_refuses_a_collision_without_objects_and_a_name_that_is_none() -> None:
    with CollisionClient() as client, pytest.raises(ValueError, match=r"no objects to follow \(no_candidate\)"):
        client.track(heard(collision(with_mask=False)))
    with CollisionClient(tracker="no name") as client, pytest.raises(ValueError, match="'no name' cannot be a name"):
        client.track(heard(collision()))


def test_shutting_the_tracker_down_ends_what_is_followed() -> None:
    graph = TrackerGraph()
    try:
        graph.send_frames(range(2))
        graph.send_collision(collision())
        graph.goal(onset_ns(0), 9.0)
        wait_for(lambda: graph.tracker._followings)
        (following,) = graph.tracker._followings.values()
        assert graph.tracker._follower.stop(DEADLINE_S)
        assert following.ended.result(DEADLINE_S).reason == "stopped"
    finally:
        graph.close()


def test_a_limit_that_is_none_is_refused() -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    with pytest.raises(ValueError, match=r"max_duration_s must be in \(0, 3600\], got -1"):
        overrides = [Parameter("max_duration_s", value=-1.0)]
        TrackerNode(FlowTracker(None), context=context, parameter_overrides=overrides)
    context.shutdown()


@pytest.mark.slow
def test_a_preset_that_there_is_not_is_one_line() -> None:
    """In a process of its own, since the command lowers its priority."""
    command = [sys.executable, "-m", "cs3_ros.tracking.node", "--ros-args", "-p", "preset:=nosuch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("tracker: unknown preset 'nosuch'; choose one of ")
