"""The service ~/segment: one image and the sound around it, answered out of turn."""

from __future__ import annotations

from cs3_msgs.srv import SegmentCollision
from rclpy.executors import Executor

from cs3_model.steps import Event
from cs3_model.types import Frame
from cs3_model.worker import Outcome, PerceptionWorker
from cs3_ros.conversions.collisions import audio_chunk_to_window
from cs3_ros.conversions.images import image_decoder
from cs3_ros.conversions.times import stamp_to_ns
from cs3_ros.perception.loading import in_executor
from cs3_ros.perception.outputs import CollisionOutputs

_NS = 1_000_000_000
_NO_EVENT = -1


async def answer_segment(
    request: SegmentCollision.Request,
    response: SegmentCollision.Response,
    *,
    worker: PerceptionWorker | None,
    outputs: CollisionOutputs | None,
    executor: Executor,
) -> SegmentCollision.Response:
    """Fills in the response; whatever goes wrong is said in its message.

    Args:
        request: Image and audio.
        response: What is filled in.
        worker: Segments the request; None while the node is not active.
        outputs: Makes the message; None while the node is not configured.
        executor: Runs this coroutine.
    """
    try:
        if worker is None or outputs is None:
            raise ValueError("the node is not active: activate it first")
        if not len(request.image.data) and not len(request.compressed_image.data):
            raise ValueError("the request has no image: fill image or compressed_image")
        image = request.image if len(request.image.data) else request.compressed_image
        frame = Frame(
            image=image_decoder(image)(), stamp_ns=stamp_to_ns(image.header.stamp), frame_id=image.header.frame_id
        )
        window = audio_chunk_to_window(request.audio)
        result = await in_executor(worker.request(frame, window), executor)
        assert result is not None  # the future is done
        middle_ns = window.start_ns + window.samples.size * _NS // (2 * window.sample_rate_hz)
        event = Event(event_id=_NO_EVENT, onset_ns=middle_ns, strength_db=0.0)
        response.collision = outputs.to_msg(event, Outcome(result=result, frame=frame, window=window))
        response.success = True
    except Exception as error:  # the caller gets the reason, the node goes on
        response.success = False
        response.message = str(error) or type(error).__name__
    return response
