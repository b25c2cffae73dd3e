"""A client's place on the ROS graph: a context, a node and a thread of its own."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import rclpy
from cs3_msgs.msg import Collision as CollisionMsg
from cs3_msgs.srv import SegmentCollision
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.client import Client
from rclpy.exceptions import NameValidationException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from cs3_model.types import UInt8Image
from cs3_ros.client.definition_check import DefinitionCheck
from cs3_ros.client.recent_inputs import RecentInputs
from cs3_ros.client.track import TrackerLink
from cs3_ros.conversions.times import stamp_to_ns
from cs3_ros.distribution import RCLError, join_graph, refusals_in_a_line, sender_of
from cs3_ros.heartbeat import Heartbeat
from cs3_ros.qos import publication, requests

logger = logging.getLogger(__name__)

_COLLISION_DEPTH = 100
_STALE_S = 3.0

_Value = TypeVar("_Value")
OnCollision = Callable[[CollisionMsg, "UInt8Image | None"], None]


class PerceptionLink:
    """Connects to one perception node. Thread-safe.

    It has a context of its own, so it works in a program without ROS, beside other nodes, and inside their callbacks,
    whatever their executors do: everything that arrives here is handled by this link's thread.

    Args:
        node: Name of the perception node.
        namespace: Its namespace.
        image: Topic of the camera, raw or compressed; None goes without images.
        audio: Topic of the microphone; None goes without sound.
        image_buffer_bytes: Memory for images that wait for their collision.
        on_collision: Called in the link's thread with each message, and its image where that is there.

    Raises:
        ValueError: if a name cannot be one of a node, namespace or topic, or ROS refuses to start.
    """

    def __init__(
        self,
        *,
        node: str,
        namespace: str,
        image: str | None,
        audio: str | None,
        image_buffer_bytes: int,
        on_collision: OnCollision,
    ) -> None:
        self._on_collision = on_collision
        self._status: tuple[float, DiagnosticStatus] | None = None
        self._context = rclpy.Context()
        # No arguments of the program: they may give a name and remappings that are meant for another node.
        join_graph([], context=self._context)
        try:
            with refusals_in_a_line():
                self._node = self._make_node(namespace)
            image, audio = self._resolve_names(node, image, audio)
            with refusals_in_a_line():
                self._listen(image, audio, image_buffer_bytes)
        except ValueError:
            self._context.shutdown()
            raise
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin, name="collision_client", daemon=True)
        self._thread.start()
        self._lock = threading.Lock()
        self._tracker: TrackerLink | None = None
        atexit.register(self.close)  # a thread that still waits in the middleware crashes an ending interpreter

    def _make_node(self, namespace: str) -> Node:
        try:
            return Node(
                f"collision_client_{uuid.uuid4().hex[:8]}",
                context=self._context,
                namespace=namespace,
                start_parameter_services=False,
                enable_rosout=False,
            )
        except NameValidationException as error:
            names = f"the client's own and namespace {namespace!r}"
            raise ValueError(f"{names} cannot all be names in ROS: {_first_line(error)}") from None

    def _resolve_names(self, node: str, image: str | None, audio: str | None) -> tuple[str | None, str | None]:
        """Notes the full name of the node, and returns those of the topics."""
        try:
            self.node_name = self._node.resolve_topic_name(node)
            """Full name of the perception node."""
            topics = [None if topic is None else self._node.resolve_topic_name(topic) for topic in (image, audio)]
        except RCLError as error:
            names = f"node {node!r}, image {image!r} and audio {audio!r}"
            raise ValueError(f"{names} cannot all be names in ROS: {_first_line(error)}") from None
        return topics[0], topics[1]

    def _listen(self, image: str | None, audio: str | None, image_buffer_bytes: int) -> None:
        self.topic = f"{self.node_name}/collision"
        """Full name of the topic of collisions."""
        self._node.create_subscription(CollisionMsg, self.topic, self._receive, publication(_COLLISION_DEPTH))
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._note_diagnostics, publication())
        self._definition = DefinitionCheck(self._node, self.topic)
        self._segment: Client[Any, Any] = self._node.create_client(
            SegmentCollision, f"{self.node_name}/segment", qos_profile=requests()
        )
        self._heartbeat = Heartbeat(self._node, self.node_name)  # after all of which `is_known` speaks
        self.inputs = RecentInputs(self._node, image=image, audio=audio, image_buffer_bytes=image_buffer_bytes)
        """What camera and microphone sent last."""

    def close(self) -> None:
        """Leaves the graph; may be called more than once."""
        with self._lock:
            if not self._context.ok():
                return
            atexit.unregister(self.close)
            self._executor.shutdown()
            if threading.current_thread() is not self._thread:
                self._thread.join()
            if self._tracker is not None:
                self._tracker.close()
            self._node.destroy_node()
            self._context.shutdown()

    def tracker(self, name: str) -> TrackerLink:
        """The node that follows objects, from the first time that it is asked for: it costs the graph eleven endpoints.

        Raises:
            ValueError: if the name cannot be one of a node.
        """
        with self._lock:
            if self._tracker is None:
                made: Future[TrackerLink] = Future()
                # In its thread: the executor must not come across an action client that is half made.
                self._executor.create_task(lambda: _into(made, lambda: TrackerLink(self._node, self._executor, name)))
                try:
                    self._tracker = made.result()
                except (NameValidationException, RCLError) as error:
                    raise ValueError(f"tracker {name!r} cannot be a name in ROS: {_first_line(error)}") from None
            return self._tracker

    # --- the node ---

    @property
    def is_present(self) -> bool:
        """Whether the node, or at least something that publishes its collisions, such as a bag, is on the graph.

        A node whose heartbeat was not heard yet may have been killed when it was met: it is not counted until then.
        """
        namespace, _, name = self.node_name.rpartition("/")
        with self._lock:
            if not self._context.ok() or self.has_died or self._heartbeat.is_unheard:
                return False
            nodes = self._node.get_node_names_and_namespaces
            return self._node.count_publishers(self.topic) > 0 or (name, namespace or "/") in nodes()

    @property
    def has_died(self) -> bool:
        """Whether the node was there and its process ended or lost the network, which shows within a second."""
        return self._heartbeat.has_died

    @property
    def is_known(self) -> bool:
        """Whether the node has found this client: no collision from now on is missed."""
        return self._heartbeat.is_known

    @property
    def can_segment(self) -> bool:
        """Whether the node's service is there, and the node would find whom to answer: else its answer is lost."""
        with self._lock:
            return self._context.ok() and self._segment.service_is_ready() and self.is_known

    def complaint_of_version(self) -> str:
        """What is wrong where all who publish collisions mean another message by that name; empty otherwise."""
        with self._lock:
            return self._definition.complaint() if self._context.ok() else ""

    def diagnosis(self) -> str:
        """What the node says about itself, as the end of a sentence."""
        if self.has_died:
            return "it has ended or cannot be reached: start it again"
        if self._status is None or time.monotonic() - self._status[0] > _STALE_S:
            return "it publishes no diagnostics either: is it still loading its preset, or only a recording?"
        status = self._status[1]
        state = next((pair.value for pair in status.values if pair.key == "state"), "unknown")
        if status.message != "ok":
            return f"it is {state} and says: {status.message}"
        if state != "active":
            return f"it is {state}: activate it, or wait until its networks are loaded"
        return "it is active and reports no problem: there was no collision"

    def request(self, request: SegmentCollision.Request) -> Future[SegmentCollision.Response]:
        """Sends a request; cancelling the future forgets it."""
        answer: Future[SegmentCollision.Response] = Future()
        pending = self._segment.call_async(request)

        def follow(done: Any) -> None:
            if answer.set_running_or_notify_cancel():
                answer.set_result(done.result())

        pending.add_done_callback(follow)

        def forget(done: Future[SegmentCollision.Response]) -> None:
            if done.cancelled():
                self._segment.remove_pending_request(pending)

        answer.add_done_callback(forget)
        return answer

    # --- what arrives, in the link's thread ---

    def _receive(self, msg: CollisionMsg, info: Any) -> None:
        if self._definition.differs(sender_of(info)):
            logger.error(
                "a message was refused: %s", self._definition.complaint() or "its publisher has another version"
            )
            return
        try:
            image = self.inputs.image_at(stamp_to_ns(msg.header.stamp))
            self._on_collision(msg, image)
        except Exception:  # one bad message must not end the thread
            logger.exception("a message of %s could not be used", self.topic)

    def _note_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.partition(":")[0] == self.node_name:
                self._status = (time.monotonic(), status)


def _into(future: Future[_Value], call: Callable[[], _Value]) -> None:
    """Gives a future what a call returns or raises."""
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)


def _first_line(error: Exception) -> str:
    """Without the place in the source and the mark below the name."""
    return (str(error).partition(", at ")[0].splitlines() or [""])[0]
