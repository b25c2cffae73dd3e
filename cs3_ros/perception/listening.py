"""What the node does while it is active: sound and images go into the stream, its events to the networks, and out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from rclpy.clock import Clock, JumpThreshold, ROSClock, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

from cs3_model.frame_ring import StoredFrame
from cs3_model.steps import Event, Step
from cs3_model.stream import CollisionStream
from cs3_model.types import AudioBlock, Reason, Verdict
from cs3_model.worker import Outcome, PerceptionWorker
from cs3_ros.perception.device_watch import DeviceWatch
from cs3_ros.perception.health import Health
from cs3_ros.perception.inputs import PerceptionInputs
from cs3_ros.perception.networks import LoadedNetworks
from cs3_ros.perception.outputs import CollisionOutputs
from cs3_ros.perception.parameters import parameter_values, stream_config, verification_config

_POLL_PERIOD_S = 0.1
_STOP_S = 1.0


class Listening:
    """Begins when it is made, at the activation of the node, and ends with `stop`.

    Callbacks only store what arrives; the thread of `worker` owns the networks.

    Args:
        node: The node, with its parameters declared.
        networks: What segments.
        outputs: Publish how each event ended.
        health: Where problems are reported.
        enabled: Whether what arrives is heard.
        steady_clock: Of the looks at inputs and device, which go on while ROS time stands.
        on_poll: Called after each of these looks.
        on_hang: Called, with a sentence that says so, when the device hangs.

    Raises:
        ValueError: if the parameters do not fit together.
    """

    def __init__(
        self,
        node: Node,
        *,
        networks: LoadedNetworks,
        outputs: CollisionOutputs,
        health: Health,
        enabled: bool,
        steady_clock: Clock,
        on_poll: Callable[[], None],
        on_hang: Callable[[str], None],
    ) -> None:
        self._node, self._networks, self._outputs, self._health = node, networks, outputs, health
        self._enabled, self._on_poll, self._on_hang = enabled, on_poll, on_hang
        values = parameter_values(node)
        self._stream = CollisionStream(stream_config(values, networks.preset))
        self.worker = PerceptionWorker(networks.pipeline, self._on_outcome, max_waiting=values["max_waiting"])
        """Also answers requests."""
        self.apply_parameters()
        self._inputs = PerceptionInputs(node, health, on_audio=self._on_audio, on_frame=self._on_frame)
        self._device_watch = DeviceWatch(_POLL_PERIOD_S)
        self._seen_ns = 0
        self._poll_timer = node.create_timer(_POLL_PERIOD_S, self._poll, clock=steady_clock)
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jump_handle = node.get_clock().create_jump_callback(threshold, post_callback=self._on_time_jump)

    @property
    def counters(self) -> Counter[str]:
        """What was heard, seen and lost since the activation."""
        return self._stream.counters

    def values(self) -> dict[str, object]:
        """What is subscribed and what the middleware lost, for the diagnostics."""
        return self._inputs.values()

    def apply_parameters(self) -> None:
        """Takes over the parameters that may change while the node is active."""
        values, preset, pipeline = parameter_values(self._node), self._networks.preset, self._networks.pipeline
        self._stream.config = stream_config(values, preset)
        pipeline.config = replace(pipeline.config, verification=verification_config(values, preset))

    def enable(self, enabled: bool) -> None:
        """Switches hearing on or off; what waits when it is switched off ends as `stopped`."""
        self._enabled = enabled
        if not enabled:
            self._submit(self._stream.clear(Reason.STOPPED, "perception was switched off"))

    def stop(self, hang: str = "") -> None:
        """Ends it; waiting events end as `stopped`.

        Args:
            hang: What hangs, in a sentence, where that is why: waiting events end as `error` then.
        """
        self._node.destroy_timer(self._poll_timer)
        self._inputs.close()
        self._jump_handle.unregister()
        self._submit(self._stream.clear(Reason.STOPPED, "perception was stopped"))
        self._enabled = False
        reason = Reason.ERROR if hang else Reason.STOPPED
        if not self.worker.stop(_STOP_S, reason=reason, detail=hang or "perception was shut down"):
            self._node.get_logger().error("the event in progress does not end: its thread is left behind")

    # --- what arrives ---

    def _on_audio(self, block: AudioBlock) -> None:
        if self._enabled:
            self._submit(self._stream.push_audio(block))

    def _on_frame(self, frame: StoredFrame) -> None:
        if self._enabled:
            self._submit(self._stream.push_frame(frame))

    def _on_time_jump(self, jump: TimeJump) -> None:
        self._submit(self._stream.clear(Reason.TIME_JUMP, "the clock jumped"))

    def _submit(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.worker.submit(step)

    def _on_outcome(self, event: Event, outcome: Outcome) -> None:
        """Publishes how an event ended; called from the worker's thread or from a callback."""
        message = self._outputs.publish(event, outcome)
        self._health.count(f"events_{message.reason}")
        if outcome.frame is not None:
            self._inputs.image_size_wh = outcome.frame.size_hw[::-1]
        if message.verdict == Verdict.NONE and message.reason != Reason.NO_CANDIDATE:
            self._health.warn(f"events: {message.reason}", f"a collision ended without masks: {message.detail}")
        stages = zip(message.stage_names, message.stage_ms, strict=True)
        self._health.stage_ms = {f"{stage}_ms": round(duration_ms, 1) for stage, duration_ms in stages}

    # --- what has to be looked at ---

    def _poll(self) -> None:
        missing_s = 1e-3 * self._stream.counters["audio_missing_ms"]
        self._inputs.poll(missing_s=missing_s, is_paused=self._is_paused())
        self._submit(self._stream.expire())
        self._watch_device()
        self._on_poll()

    def _is_paused(self) -> bool:
        """Whether nothing has to arrive: switched off, or simulated time stands."""
        clock = self._node.get_clock()
        assert isinstance(clock, ROSClock)
        now_ns = clock.now().nanoseconds
        stands, self._seen_ns = now_ns == self._seen_ns, now_ns
        return not self._enabled or (stands and clock.ros_time_is_active)

    def _watch_device(self) -> None:
        """Tells when the networks do not come to an end with one piece of work."""
        limit_s = self._node.get_parameter("device_timeout_s").value
        if self._device_watch.poll(self.worker.work_in_progress) >= limit_s:
            self._on_hang(f"the networks have not answered for {limit_s:g} s (device_timeout_s): the device hangs")
