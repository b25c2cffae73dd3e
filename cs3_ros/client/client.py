"""The client of the perception node: listen to collisions, or have one image and its sound segmented."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from concurrent.futures import wait
from types import TracebackType

import numpy.typing as npt
from cs3_msgs.msg import Collision as CollisionMsg
from cs3_msgs.srv import SegmentCollision

from cs3_model.types import MODEL_SAMPLE_RATE_HZ, UInt8Image
from cs3_ros.client.collision import Collision, collision_of
from cs3_ros.client.errors import PerceptionRefusedError, PerceptionSilentError
from cs3_ros.client.link import PerceptionLink
from cs3_ros.client.listener import CollisionListener, Watch
from cs3_ros.client.mailbox import Mailbox
from cs3_ros.client.plain_numbers import seconds, seconds_or_none, text, whole_number
from cs3_ros.client.request import segment_request
from cs3_ros.client.track import CollisionTrack

_MAX_QUEUE = 100_000
_MAX_BUFFER_MB = 64 * 1024
_MAX_TRACK_S = 3600.0
_FIND_S = 0.02


class CollisionClient:
    """Hears of every collision that a perception node publishes. Thread-safe; needs no knowledge of ROS.

        with CollisionClient() as client:
            for collision in client.listen(timeout=60):
                print(collision.describe())

    Args:
        node: Name of the perception node.
        namespace: Its namespace, for instance "/head".
        image: Topic of the camera that the node uses. With it, collisions come with their image and its crops; None
            saves the traffic.
        audio: Topic of the microphone that the node uses, for `segment_now`; None saves the traffic.
        image_buffer_mb: Memory for images that wait for their collision, MiB. They are needed for about the node's
            `audio_post_s` and a little more.
        patience_s: How long the node may be missing from the graph before that is an error, seconds.
        queue_size: Collisions that may wait in each listener; beyond it the oldest is forgotten and counted.
        tracker: Name of the node that follows objects, for `track`.
    """

    def __init__(
        self,
        node: str = "perception",
        namespace: str = "/",
        *,
        image: str | None = None,
        audio: str | None = None,
        image_buffer_mb: int = 256,
        patience_s: float = 5.0,
        queue_size: int = 16,
        tracker: str = "tracker",
    ) -> None:
        self._patience_s = seconds("patience_s", patience_s)
        self._queue_size = whole_number("queue_size", queue_size, 1, _MAX_QUEUE)
        self._tracker_name = text("tracker", tracker)
        image_buffer_mb = whole_number("image_buffer_mb", image_buffer_mb, 1, _MAX_BUFFER_MB)
        self._lock = threading.Lock()
        self._closed = False
        self._last: Collision | None = None
        self._mailboxes: weakref.WeakSet[Mailbox[Collision]] = weakref.WeakSet()
        self._tracks: weakref.WeakSet[CollisionTrack] = weakref.WeakSet()
        self._own: CollisionListener | None = None
        self._link = PerceptionLink(
            node=text("node", node),
            namespace=text("namespace", namespace),
            image=None if image is None else text("image", image),
            audio=None if audio is None else text("audio", audio),
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
            for track in self._tracks:
                track.close()
        self._link.close()

    # --- listening ---

    def wait_for_node(self, timeout: float = 30.0) -> None:
        """Waits until the node has found this client, so that no collision from then on is missed.

        On a ROS graph that takes a while after both are there, mostly under a second. Call it before doing what makes a
        sound.

        Args:
            timeout: How long it may take, seconds.

        Raises:
            ValueError: if the timeout is no number of seconds.
            PerceptionAbsentError: if the node is not there.
            PerceptionSilentError: if the time is up.
            RuntimeError: if the client is closed.
        """
        watch = self.watch(seconds("timeout", timeout))
        try:
            while not self._link.is_known:
                self._check_open()
                time.sleep(min(_FIND_S, watch.look("no heartbeat")))
        except PerceptionSilentError:
            raise PerceptionSilentError(
                f"{self._link.node_name} did not find this client within {timeout:g} s: is {self._link.topic} from a "
                "node, not from a bag, and can the node's computer reach this one?"
            ) from None

    def listen(self, timeout: float | None = None) -> CollisionListener:
        """Returns an iterator over all collisions from now on, for one thread or task.

        Args:
            timeout: How long each may take to come, seconds; None waits as long as the node is there.

        Raises:
            ValueError: if the timeout is no number of seconds.
            RuntimeError: if the client is closed.
        """
        timeout = seconds_or_none("timeout", timeout)
        mailbox: Mailbox[Collision] = Mailbox(self._queue_size)
        with self._lock:
            self._check_open()
            self._mailboxes.add(mailbox)
        return CollisionListener(mailbox, self._link, timeout=timeout, patience_s=self._patience_s)

    async def next(self, timeout: float | None = None) -> Collision:
        """Waits for a collision without blocking the event loop.

        The first call begins to listen, later ones go on where the one before stopped: a program that thinks between
        two calls misses nothing, up to the queue's size. Calls at the same time share the collisions between them.

        Args:
            timeout: How long it may take, seconds; None waits as long as the node is there.

        Raises:
            PerceptionAbsentError: if the node is not there.
            PerceptionSilentError: if the time is up.
            RuntimeError: if the client is closed.
        """
        timeout = seconds_or_none("timeout", timeout)
        self._own = self._own or self.listen()
        if (collision := await self._own.receive(timeout)) is None:
            raise RuntimeError("the client was closed")
        return collision

    def last(self) -> Collision | None:
        """The newest collision since this client was made, at once; None if there was none."""
        return self._last

    @property
    def node_name(self) -> str:
        """Full name of the perception node."""
        return self._link.node_name

    def diagnosis(self) -> str:
        """What the node says about itself at present, as the end of a sentence that begins with its name."""
        return self._link.diagnosis()

    def watch(self, timeout: float | None) -> Watch:
        """For a wait of your own: its `look` says how long to pause, and raises as `next` does when it is in vain."""
        return Watch(self._link, self._patience_s, seconds_or_none("timeout", timeout))

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed: make a new one")

    def _deliver(self, msg: CollisionMsg, image: UInt8Image | None) -> None:
        collision = collision_of(msg, image)
        with self._lock:
            self._last = collision
            for mailbox in self._mailboxes:
                mailbox.put(collision)

    # --- following ---

    def track(self, collision: Collision, duration_s: float = 5.0) -> CollisionTrack:
        """Follows the objects of a collision through the images after it, by the node `tracker`.

            for frame in client.track(collision, duration_s=3.0):
                for found, followed in zip(collision.objects, frame.objects):
                    print(found.roles, followed.box_xyxy if followed.visible else "lost")

        It begins with the images right after the collision, which the tracker has kept. A newer track ends it.

        Args:
            collision: One with objects, heard by this or another client of the same perception node.
            duration_s: How long from the image of the collision, seconds of the images' stamps.

        Raises:
            ValueError: if the collision has no objects, or the duration is no positive number of seconds.
            RuntimeError: if the client is closed.
        """
        duration_s = seconds("duration_s", duration_s, high=_MAX_TRACK_S)
        if duration_s == 0.0:
            raise ValueError("duration_s must be positive")
        if not collision.objects:
            raise ValueError(f"the collision has no objects to follow ({collision.reason}): choose one that has")
        with self._lock:
            self._check_open()
        track = CollisionTrack(
            self._link.tracker(self._tracker_name),
            onset_ns=collision.onset_ns,
            size_hw=collision.objects[0].mask.shape,
            duration_s=duration_s,
            patience_s=self._patience_s,
        )
        self._tracks.add(track)
        return track

    # --- segmenting ---

    def segment(
        self,
        image: UInt8Image,
        audio: npt.ArrayLike,
        *,
        sample_rate_hz: int = MODEL_SAMPLE_RATE_HZ,
        stamp_ns: int = 0,
        timeout: float | None = 30.0,
    ) -> Collision:
        """Has one image and the sound around the collision segmented, before all events that wait.

        The node goes on listening meanwhile. Inside a callback of another node this waits, and so does that node's
        executor: use `segment_async` or a thread there if the answer may take long.

        Args:
            image: RGB, uint8 [H, W, 3].
            audio: Samples, [T] or [T, channels]: floats in [-1, 1], or int16. 0.175 s or longer; best is what
                the node's preset hears, for instance 1 s before the onset and 0.3 s after it with `micro`.
            sample_rate_hz: Rate of the samples.
            stamp_ns: Time of the image and of the middle of the sound, nanoseconds; the answer repeats it. At 0, the
                times of the answer count from the beginning of the sound.
            timeout: How long the answer may take, seconds; None waits as long as the node is there.

        Raises:
            ValueError: if an argument cannot be sent; it says which and why.
            PerceptionAbsentError: if the node is not there.
            PerceptionRefusedError: if the node answers with an error, for instance because it is not active.
            PerceptionSilentError: if there is no answer in time.
        """
        request, timeout = self._prepared(image, audio, sample_rate_hz, stamp_ns, timeout)
        watch = Watch(self._link, self._patience_s, timeout)
        while not self._link.can_segment:
            time.sleep(watch.look("the service segment"))
        answer = self._link.request(request)
        try:
            while not answer.done():
                wait([answer], watch.look("no answer"))
            return self._answered(answer.result(), image)
        except PerceptionSilentError:
            raise self._unanswered(timeout) from None
        finally:
            answer.cancel()

    async def segment_async(
        self,
        image: UInt8Image,
        audio: npt.ArrayLike,
        *,
        sample_rate_hz: int = MODEL_SAMPLE_RATE_HZ,
        stamp_ns: int = 0,
        timeout: float | None = 30.0,
    ) -> Collision:
        """Does what `segment` does without blocking the event loop."""
        request, timeout = self._prepared(image, audio, sample_rate_hz, stamp_ns, timeout)
        watch = Watch(self._link, self._patience_s, timeout)
        while not self._link.can_segment:
            await asyncio.sleep(watch.look("the service segment"))
        answer = asyncio.wrap_future(self._link.request(request))
        try:
            while not answer.done():
                await asyncio.wait([answer], timeout=watch.look("no answer"))
            return self._answered(answer.result(), image)
        except PerceptionSilentError:
            raise self._unanswered(timeout) from None
        finally:
            answer.cancel()

    async def segment_now(self, *, timeout: float | None = 30.0) -> Collision:
        """Has the last two seconds of sound segmented, in the image from their middle, whether or not an onset was heard.

        Needs `image` and `audio`, the topics that the node uses.

        Raises:
            PerceptionSilentError: if camera or microphone sent nothing lately; otherwise as `segment`.
        """
        frame, window = self._link.inputs.now()
        return await self.segment_async(
            frame.image,
            window.samples,
            sample_rate_hz=window.sample_rate_hz,
            stamp_ns=frame.stamp_ns,
            timeout=timeout,
        )

    def _prepared(
        self, image: UInt8Image, audio: npt.ArrayLike, sample_rate_hz: int, stamp_ns: int, timeout: float | None
    ) -> tuple[SegmentCollision.Request, float | None]:
        timeout = seconds_or_none("timeout", timeout)
        request = segment_request(image, audio, sample_rate_hz, stamp_ns)
        self._check_open()
        return request, timeout

    def _answered(self, response: SegmentCollision.Response, image: UInt8Image) -> Collision:
        if not response.success:
            raise PerceptionRefusedError(f"{self._link.node_name} did not segment: {response.message}")
        return collision_of(response.collision, image)

    def _unanswered(self, timeout: float | None) -> PerceptionSilentError:
        return PerceptionSilentError(
            f"{self._link.node_name} did not answer within {timeout:g} s: allow more time, or see its log"
        )
