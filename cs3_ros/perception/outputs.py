"""What the perception node publishes about each event."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from cs3_msgs.msg import Collision
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image

from cs3_model.auto_preset import ChosenPreset
from cs3_model.overlay import draw_overlay
from cs3_model.pipeline import CollisionPipeline
from cs3_model.steps import Event
from cs3_model.types import Frame, Reason, no_collision
from cs3_model.worker import Outcome
from cs3_ros.conversions.collisions import ResultContext, collision_to_msg
from cs3_ros.conversions.detections import Detection2DArray, detections_to_msg
from cs3_ros.conversions.images import image_to_msg, mask_to_image
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.qos import publication


class CollisionOutputs:
    """Publishes outcomes: `~/collision` always, `~/mask`, `~/overlay` and `~/detections` while somebody listens.

    Args:
        node: The node.
        preset: Named in the messages and in the overlay.
        pipeline: Whose parts are named in the messages.
    """

    def __init__(self, node: LifecycleNode, *, preset: ChosenPreset, pipeline: CollisionPipeline) -> None:
        self._node = node
        self._preset = preset
        self._models = pipeline.models
        self._trained = pipeline.trained
        self._collision = node.create_lifecycle_publisher(Collision, "~/collision", publication())
        self._mask = node.create_lifecycle_publisher(Image, "~/mask", publication())
        self._overlay = node.create_lifecycle_publisher(Image, "~/overlay", publication())
        self._detections = None
        if Detection2DArray is not None:
            self._detections = node.create_lifecycle_publisher(Detection2DArray, "~/detections", publication())

    def close(self) -> None:
        """Destroys the publishers."""
        for publisher in (self._collision, self._mask, self._overlay, self._detections):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, event: Event, outcome: Outcome) -> Collision:
        """Publishes one outcome; returns the message, which says `error` where the outcome's own cannot be made."""
        try:
            message = self.to_msg(event, outcome)
        except Exception as error:  # for want of memory, for instance; an event that nobody hears of is worse
            detail = f"the result cannot be encoded: {type(error).__name__}: {error}"
            outcome = replace(outcome, result=no_collision(Reason.ERROR, detail))
            message = self.to_msg(event, outcome)
        self._collision.publish(message)
        if outcome.frame is not None:
            try:
                self._publish_pictures(event, outcome, outcome.frame, message)
            except Exception as error:  # the event itself is told of
                self._node.get_logger().error(f"pictures of an event cannot be made: {type(error).__name__}: {error}")
        return message

    def _publish_pictures(self, event: Event, outcome: Outcome, frame: Frame, message: Collision) -> None:
        result, header = outcome.result, message.header
        if self._mask.get_subscription_count() > 0:
            union = np.zeros(frame.size_hw, bool)
            for candidate in result.masks:
                union |= candidate.mask
            self._mask.publish(mask_to_image(union, header))
        if self._overlay.get_subscription_count() > 0:
            overlay = draw_overlay(
                frame.image,
                result,
                window=outcome.window,
                onset_ns=event.onset_ns,
                frame_ns=frame.stamp_ns,
                trained=self._trained,
                caption=self._caption(event, outcome, message.latency_ms),
            )
            self._overlay.publish(image_to_msg(overlay, header))
        if self._detections is not None and self._detections.get_subscription_count() > 0:
            self._detections.publish(detections_to_msg(result, header))

    def _caption(self, event: Event, outcome: Outcome, latency_ms: float) -> str:
        window = outcome.window
        assert window is not None  # what has an image has its sound
        heard_s = (window.start_ns - event.onset_ns) / NS_PER_S + window.samples.size / window.sample_rate_hz
        age_s = heard_s + 1e-3 * latency_ms
        return f"{self._preset.name}   onset {event.strength_db:.0f} dB, {age_s:.2f} s ago   {latency_ms:.0f} ms after the audio"

    def to_msg(self, event: Event, outcome: Outcome) -> Collision:
        """The Collision message of an outcome, with the time that it took to make as its last stage."""
        begin_s = time.monotonic()
        result, frame = outcome.result, outcome.frame
        if not self._node.get_parameter("publish_rejected").value:
            result = replace(result, rejected=())
        context = ResultContext(
            event=event,
            frame_ns=frame.stamp_ns if frame is not None else None,
            frame_id=frame.frame_id if frame is not None else "",
            preset=self._preset.title,
            models=self._models,
            trained=self._trained,
            mask_format=self._node.get_parameter("mask_format").value,
        )
        message = collision_to_msg(result, context)
        now_s = time.monotonic()
        if result.stage_s:
            message.stage_names.append("encoding")
            message.stage_ms.append(1e3 * (now_s - begin_s))
        message.latency_ms = 1e3 * (now_s - outcome.complete_s) if outcome.complete_s is not None else 0.0
        return message
