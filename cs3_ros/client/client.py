"""The client of the perception node: listen to collisions, or have one image and its sound segmented."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType

import numpy as np
import numpy.typing as npt
from cs3_msgs.msg import Collision as CollisionMsg
from cs3_msgs.srv import SegmentCollision
from std_msgs.msg import Header

from cs3_model.types import MODEL_SAMPLE_RATE_HZ, Frame, UInt8Image
from cs3_ros.client.collision import Collision, collision_of
from cs3_ros.client.errors import PerceptionAbsentError, PerceptionRefusedError, PerceptionSilentError
from cs3_ros.client.link import PerceptionLink
from cs3_ros.client.mailbox import Mailbox
from cs3_ros.conversions.audio import AudioFormat, audio_chunk_msg
from cs3_ros.conversions.images import image_to_msg
from cs3_ros.conversions.times import ns_to_stamp

logger = logging.getLogger(__name__)

_LOOK_S = 0.2
"""While waiting, how often to see whether the node is still there, seconds."""


class CollisionClient:
    """Hears of every collision that a perception node publishes. Thread-safe; needs no knowledge of ROS.

        with CollisionClient() as client:
            for collision in client.listen(timeout_s=60):
                print(collision.describe())

    Args:
        node: Name of the perception node.
        namespace: Its namespace, for instance "/head".
        image: Topic of the camera that the node uses. With it, collisions come with their image and its crops; None
            saves the traffic.
        image_buffer_mb: Memory for images that wait for their collision, MiB. They are needed for about the node's
            `audio_post_s` and a little more.
        patience_s: How long the node may be missing from the graph before that is an error, seconds.
        queue_size: Collisions that may wait in each listener; beyond it the oldest is forgotten and counted.
    """

    def __init__(
        self,
        node: str = "perception",
        namespace: str = "/",
        *,
        image: str | None = None,
        image_buffer_mb: int = 256,
        patience_s: float = 5.0,
        queue_size: int = 16,
    ) -> None:
        Mailbox(queue_size)  # refuses a bad size now, not at the first listener
        self._patience_s = patience_s
        self._queue_size = queue_size
        self._lock = threading.Lock()
        self._closed = False
        self._last: Collision | None = None
        self._mailboxes: weakref.WeakSet[Mailbox[Collision]] = weakref.WeakSet()
        self._own: CollisionListener | None = None
        self._link = PerceptionLink(
            node=node,
            namespace=namespace,
            image=image,
            image_buffer_bytes=image_buffer_mb * 2**20,
            on_collision=self._deliver,
        )

    def __enter__(self) -> CollisionClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the graph. Loops over listeners end after what they have already."""
        with self._lock:
            self._closed = True
            for mailbox in self._mailboxes:
                mailbox.close()
        self._link.close()

    # --- listening ---

    def listen(self, timeout_s: float | None = None) -> CollisionListener:
        """Returns an iterator over all collisions from now on, for one thread or task.

        Args:
            timeout_s: How long each may take to come, seconds; None waits as long as the node is there.

        Raises:
            RuntimeError: if the client is closed.
        """
        mailbox: Mailbox[Collision] = Mailbox(self._queue_size)
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed: make a new one")
            self._mailboxes.add(mailbox)
        return CollisionListener(mailbox, self._link, timeout_s=timeout_s, patience_s=self._patience_s)

    async def next(self, timeout_s: float | None = None) -> Collision:
        """Waits for a collision without blocking the event loop.

        The first call begins to listen, later ones go on where the one before stopped: a program that thinks between
        two calls misses nothing, up to the queue's size. Calls at the same time share the collisions between them.

        Args:
            timeout_s: How long it may take, seconds; None waits as long as the node is there.

        Raises:
            PerceptionAbsentError: if the node is not there.
            PerceptionSilentError: if the time is up.
            RuntimeError: if the client is closed.
        """
        if self._own is None:
            self._own = self.listen()
        if (collision := await self._own.receive(timeout_s)) is None:
            raise RuntimeError("the client was closed")
        return collision

    def last(self) -> Collision | None:
        """The newest collision since this client was made, at once; None if there was none."""
        return self._last

    def _deliver(self, msg: CollisionMsg, image: UInt8Image | None) -> None:
        collision = collision_of(msg, image)
        with self._lock:
            self._last = collision
            for mailbox in self._mailboxes:
                mailbox.put(collision)

    # --- segmenting ---

    def segment(
        self,
        image: UInt8Image,
        audio: npt.ArrayLike,
        *,
        sample_rate_hz: int = MODEL_SAMPLE_RATE_HZ,
        stamp_ns: int = 0,
        timeout_s: float = 30.0,
    ) -> Collision:
        """Has one image and the sound around the collision segmented, before all events that wait.

        The node goes on listening meanwhile. Inside a callback of another node this waits, and so does that node's
        executor: use `segment_async` or a thread there if the answer may take long.

        Args:
            image: RGB, uint8 [H, W, 3].
            audio: Samples, [T] or [T, channels]: floats in [-1, 1], or int16. 0.175 s or longer; 2 s with the onset
                in the middle is best.
            sample_rate_hz: Rate of the samples.
            stamp_ns: Time of the image and of the middle of the sound, nanoseconds; the answer repeats it.
            timeout_s: How long the answer may take, seconds.

        Raises:
            ValueError: if image or audio cannot be sent.
            PerceptionAbsentError: if the node is not there.
            PerceptionRefusedError: if the node answers with an error, for instance because it is not active.
            PerceptionSilentError: if there is no answer in time.
        """
        request = _segment_request(image, audio, sample_rate_hz, stamp_ns)
        deadline_s = time.monotonic() + timeout_s
        watch = _Watch(self._link, self._patience_s, timeout_s)
        while not self._link.can_segment:
            time.sleep(watch.look("the service segment"))
        answer = self._link.request(request)
        try:
            return self._answered(answer.result(max(0.0, deadline_s - time.monotonic())), image)
        except FutureTimeoutError:
            answer.cancel()
            raise self._unanswered(timeout_s) from None

    async def segment_async(
        self,
        image: UInt8Image,
        audio: npt.ArrayLike,
        *,
        sample_rate_hz: int = MODEL_SAMPLE_RATE_HZ,
        stamp_ns: int = 0,
        timeout_s: float = 30.0,
    ) -> Collision:
        """Does what `segment` does without blocking the event loop."""
        request = _segment_request(image, audio, sample_rate_hz, stamp_ns)
        deadline_s = time.monotonic() + timeout_s
        watch = _Watch(self._link, self._patience_s, timeout_s)
        while not self._link.can_segment:
            await asyncio.sleep(watch.look("the service segment"))
        answer = asyncio.wrap_future(self._link.request(request))
        try:
            return self._answered(await asyncio.wait_for(answer, max(0.0, deadline_s - time.monotonic())), image)
        except asyncio.TimeoutError:
            raise self._unanswered(timeout_s) from None

    def _answered(self, response: SegmentCollision.Response, image: UInt8Image) -> Collision:
        if not response.success:
            raise PerceptionRefusedError(f"{self._link.node_name} did not segment: {response.message}")
        return collision_of(response.collision, image)

    def _unanswered(self, timeout_s: float) -> PerceptionSilentError:
        return PerceptionSilentError(
            f"{self._link.node_name} did not answer within {timeout_s:g} s: allow more time, or see its log"
        )


class CollisionListener:
    """The collisions that one `CollisionClient.listen` hears, for ``for`` and for ``async for``.

    Each raises `PerceptionAbsentError` or `PerceptionSilentError` where it waits in vain, and can be continued after
    that. When the client is closed, the loop ends. A listener that nobody holds any more is forgotten.
    """

    def __init__(
        self, mailbox: Mailbox[Collision], link: PerceptionLink, *, timeout_s: float | None, patience_s: float
    ) -> None:
        self._mailbox = mailbox
        self._link = link
        self._timeout_s = timeout_s
        self._patience_s = patience_s

    @property
    def num_dropped(self) -> int:
        """Collisions that were lost to this listener because it was too slow for its queue."""
        return self._mailbox.num_dropped

    def __iter__(self) -> Iterator[Collision]:
        return self

    def __next__(self) -> Collision:
        watch = _Watch(self._link, self._patience_s, self._timeout_s)
        while (collision := self._mailbox.take()) is None:
            if self._mailbox.closed:
                raise StopIteration
            self._mailbox.wait(watch.look("no collision"))
        return collision

    def __aiter__(self) -> CollisionListener:
        return self

    async def __anext__(self) -> Collision:
        if (collision := await self.receive(self._timeout_s)) is None:
            raise StopAsyncIteration
        return collision

    async def receive(self, timeout_s: float | None) -> Collision | None:
        """The next collision, or None when the client is closed; see `CollisionClient.next` for the rest."""
        watch = _Watch(self._link, self._patience_s, timeout_s)
        while (collision := self._mailbox.take()) is None:
            if self._mailbox.closed:
                return None
            await self._mailbox.wait_async(watch.look("no collision"))
        return collision


class _Watch:
    """One wait: says how long until the next look at the graph, and gives up when it is hopeless."""

    def __init__(self, link: PerceptionLink, patience_s: float, timeout_s: float | None) -> None:
        self._link = link
        self._patience_s = patience_s
        self._timeout_s = timeout_s
        self._begin_s = self._seen_s = time.monotonic()

    def look(self, what: str) -> float:
        """Returns seconds to wait before looking again.

        Raises:
            PerceptionAbsentError: if the node has been missing for too long.
            PerceptionSilentError: if the time is up.
        """
        now_s = time.monotonic()
        link, left_s = self._link, float("inf")
        present = link.is_present
        if present:
            self._seen_s = now_s
        if self._timeout_s is not None:
            left_s = self._begin_s + self._timeout_s - now_s
        if not present and (left_s <= 0 or now_s - self._seen_s >= self._patience_s):
            raise PerceptionAbsentError(
                f"no node {link.node_name} publishes {link.topic}: start it (ros2 launch cs3_ros perception.launch.py), "
                "or give its node and namespace, and see that ROS_DOMAIN_ID is the same"
            )
        if left_s <= 0:
            raise PerceptionSilentError(f"{what} from {link.topic} within {self._timeout_s:g} s: {link.diagnosis()}")
        return min(left_s, _LOOK_S)


def _segment_request(
    image: UInt8Image, audio: npt.ArrayLike, sample_rate_hz: int, stamp_ns: int
) -> SegmentCollision.Request:
    frame = Frame(image=image, stamp_ns=stamp_ns)
    samples = np.asarray(audio)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(f"audio must be samples [T] or [T, channels], got the shape {list(samples.shape)}")
    if samples.dtype != np.int16 and not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"audio must be floats in [-1, 1] or int16, got {samples.dtype}")
    encoding, dtype = ("S16LE", "<i2") if samples.dtype == np.int16 else ("F32LE", "<f4")
    channels = samples.shape[1] if samples.ndim == 2 else 1
    audio_format = AudioFormat(sample_rate_hz=sample_rate_hz, channels=channels, encoding=encoding)
    half_ns = samples.shape[0] * 10**9 // (2 * sample_rate_hz)
    start_ns = max(0, stamp_ns - half_ns)  # stamps cannot be negative
    return SegmentCollision.Request(
        image=image_to_msg(frame.image, Header(stamp=ns_to_stamp(stamp_ns))),
        audio=audio_chunk_msg(samples.astype(dtype).tobytes(), audio_format=audio_format, stamp_ns=start_ns),
    )
