"""The perception node: camera and microphone topics in, masks of what collided out.

Callbacks only store what arrives; a worker thread owns the networks. Everything that decides is in cs3_model.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from cs3_msgs.srv import SegmentCollision
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, JumpThreshold, ROSClock, TimeJump
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool

from cs3_model.frame_ring import StoredFrame
from cs3_model.pipeline import CollisionPipeline
from cs3_model.steps import Event, Step
from cs3_model.stream import CollisionStream
from cs3_model.types import AudioBlock, Reason, Verdict
from cs3_model.worker import Outcome, PerceptionWorker
from cs3_ros.distribution import LifecycleNode, ros_context
from cs3_ros.heartbeat import beat
from cs3_ros.perception.device_watch import DeviceWatch
from cs3_ros.perception.health import Health
from cs3_ros.perception.inputs import PerceptionInputs, expected_topics
from cs3_ros.perception.loading import Loading, LoadingCancelledError, in_executor, run_in_thread
from cs3_ros.perception.log_forwarding import LogForwarder
from cs3_ros.perception.networks import LoadedNetworks, load_networks
from cs3_ros.perception.outputs import CollisionOutputs
from cs3_ros.perception.parameters import (
    check_change,
    declare_parameters,
    parameter_values,
    stream_config,
    unknown_parameters,
    verification_config,
)
from cs3_ros.perception.segment_service import answer_segment
from cs3_ros.qos import requests

if TYPE_CHECKING:
    from cs3_model.build import Preset

_POLL_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0
_STOP_S = 1.0
_LAST_WORDS_S = 0.5
"""A node whose device hangs sends for so long what it said last."""
_GIVES_UP_LOADING = (
    Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    Transition.TRANSITION_INACTIVE_SHUTDOWN,
    Transition.TRANSITION_ACTIVE_SHUTDOWN,
)


class PerceptionNode(LifecycleNode):
    """Publishes a `Collision` for every collision onset that it hears."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__("perception", **node_options)
        self.hang = ""
        """What hangs, in a sentence, or empty. Nothing can end a thread that hangs: the process has to begin anew."""
        self._log_forwarder = LogForwarder(self.get_logger())
        self._preset: Preset | None = None
        self._pipeline: CollisionPipeline | None = None
        self._stream: CollisionStream | None = None
        self._worker: PerceptionWorker | None = None
        self._outputs: CollisionOutputs | None = None
        self._inputs: PerceptionInputs | None = None
        self._poll_timer: Any = None
        self._jump_handle: Any = None
        self._loading: Loading[LoadedNetworks] | None = None
        self._configured: Future[TransitionCallbackReturn] | None = None
        self._enabled = True
        self._said_worst = ""
        self._seen_ns = 0
        self._device_watch = DeviceWatch(_POLL_PERIOD_S)
        self._static_values: dict[str, object] = {}
        self._earlier_counters: Counter[str] = Counter()
        self._stage_ms: dict[str, float] = {}
        self.add_on_set_parameters_callback(self._on_set_parameters)
        declare_parameters(self)
        self.add_post_set_parameters_callback(self._on_parameters_set)
        self._health = Health(self)
        for name, nearest in unknown_parameters(self).items():
            ignored = f"there is no parameter {name}, and what it was set to is ignored"
            if nearest:
                self._health.hold(f"parameter {name}", f"{ignored}: did you mean {nearest}?", is_warning=True)
            else:  # files for several nodes have such
                self.get_logger().info(ignored)
        # Not on ROS time: that stands still while a simulation or a bag is paused.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._on_diagnostics, clock=self._steady_clock)
        beat(self)
        self.create_service(SetBool, "~/enable", self._on_enable)
        # Reentrant, so that nothing else waits while a request waits for the device.
        self.create_service(
            SegmentCollision,
            "~/segment",
            self._on_segment,
            qos_profile=requests(),
            callback_group=ReentrantCallbackGroup(),
        )

    def start(self) -> bool:
        """Configures and activates the node; returns False, having logged why, if that fails."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() is success and self.trigger_activate() is success

    def destroy_node(self) -> None:
        """Stops, frees and destroys the node, whatever its state."""
        self._stop()
        self._free()
        self._log_forwarder.close()
        super().destroy_node()

    # --- lifecycle ---

    def configure_in_background(self) -> Future[TransitionCallbackReturn]:
        """Begins to configure; services, parameters and diagnostics answer meanwhile, which can take minutes."""
        self._configured = run_in_thread(self.trigger_configure)
        return self._configured

    async def transition(self, transition_id: int) -> TransitionCallbackReturn:
        """Does what a request asks for. While networks load, cleaning up and shutting down give that up."""
        assert self.executor is not None  # it runs this callback
        configured, loading = self._configured, self._loading
        is_busy = configured is not None and not configured.done()
        if transition_id == Transition.TRANSITION_CONFIGURE and not is_busy:
            return await in_executor(self.configure_in_background(), self.executor) or TransitionCallbackReturn.ERROR
        if configured is not None and loading is not None and transition_id in _GIVES_UP_LOADING:
            loading.cancel()
            await in_executor(configured, self.executor)
            if transition_id == Transition.TRANSITION_CLEANUP:
                return TransitionCallbackReturn.SUCCESS
            transition_id = Transition.TRANSITION_UNCONFIGURED_SHUTDOWN
        return self.change_state(transition_id)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the networks; blocks until they are loaded, or that is given up."""
        self._health.resolve("configure")
        topics = expected_topics(self)
        self.get_logger().info(
            f"loading preset {self.get_parameter('preset').value}; will listen to {topics['image']}, and {topics['audio']}"
        )
        values = parameter_values(self)
        self._loading = Loading(lambda: load_networks(values))
        try:
            loaded = self._loading.result()
        except LoadingCancelledError:
            self.get_logger().info("loading was given up, as was asked for")
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # weights and devices fail in many ways, and the user may try another preset
            return self._refuse("configure", error)
        finally:
            self._loading = None
        self._preset, self._pipeline = loaded.preset, loaded.pipeline
        self._outputs = CollisionOutputs(self, preset=loaded.chosen, pipeline=loaded.pipeline)
        self._health.hardware_id = loaded.device
        self._static_values = loaded.values()
        self.get_logger().info(f"preset {loaded.chosen.title} runs on {loaded.device}: {loaded.preset.description}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Starts to listen."""
        assert self._pipeline is not None
        try:
            self._stream = CollisionStream(stream_config(parameter_values(self), self._preset))
        except ValueError as error:
            return self._refuse("activate", error)
        self._health.resolve("activate")
        max_waiting = self.get_parameter("max_waiting").value
        self._worker = PerceptionWorker(self._pipeline, self._on_outcome, max_waiting=max_waiting)
        self._apply_live_parameters()
        self._inputs = PerceptionInputs(self, self._health, on_audio=self._on_audio, on_frame=self._on_frame)
        self._poll_timer = self.create_timer(_POLL_PERIOD_S, self._on_poll, clock=self._steady_clock)
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jump_handle = self.get_clock().create_jump_callback(threshold, post_callback=self._on_time_jump)
        return super().on_activate(state)

    def _refuse(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        self._health.hold(transition, f"cannot {transition}: {kind}{error}")
        self._on_diagnostics()
        return TransitionCallbackReturn.FAILURE

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops listening; waiting events end as `stopped`."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the networks and the device."""
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops and frees, from any state."""
        self._stop()
        self._free()
        return super().on_shutdown(state)

    def _stop(self) -> None:
        if self._poll_timer is not None:
            self.destroy_timer(self._poll_timer)
        if self._inputs is not None:
            self._inputs.close()
        if self._jump_handle is not None:
            self._jump_handle.unregister()
        if self._stream is not None and self._worker is not None:
            self._submit(self._stream.clear(Reason.STOPPED, "perception was stopped"))
            self._earlier_counters.update(self._stream.counters)
            reason = Reason.ERROR if self.hang else Reason.STOPPED
            if not self._worker.stop(_STOP_S, reason=reason, detail=self.hang or "perception was shut down"):
                self.get_logger().error("the event in progress does not end: its thread is left behind")
        self._poll_timer = self._inputs = self._jump_handle = self._stream = self._worker = None

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
        if self._pipeline is not None:
            from cs3_model.build import release_memory

            self._preset, self._pipeline, self._outputs, self._static_values = None, None, None, {}
            release_memory()

    # --- work ---

    def _on_audio(self, block: AudioBlock) -> None:
        if self._enabled and self._stream is not None:
            self._submit(self._stream.push_audio(block))

    def _on_frame(self, frame: StoredFrame) -> None:
        if self._enabled and self._stream is not None:
            self._submit(self._stream.push_frame(frame))

    def _submit(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if self._worker is not None:
                self._worker.submit(step)

    def _on_outcome(self, event: Event, outcome: Outcome) -> None:
        """Publishes how an event ended; called from the worker's thread or from a callback."""
        assert self._outputs is not None
        result = outcome.result
        self._health.count(f"events_{result.reason}")
        if outcome.frame is not None and self._inputs is not None:
            self._inputs.image_size_wh = outcome.frame.size_hw[::-1]
        if result.verdict is Verdict.NONE and result.reason is not Reason.NO_CANDIDATE:
            self._health.warn(f"events: {result.reason}", f"a collision ended without masks: {result.detail}")
        message = self._outputs.publish(event, outcome)
        stages = zip(message.stage_names, message.stage_ms, strict=True)
        self._stage_ms = {f"{stage}_ms": round(duration_ms, 1) for stage, duration_ms in stages}

    def _on_poll(self) -> None:
        if self._inputs is not None and self._stream is not None:
            missing_s = 1e-3 * self._stream.counters["audio_missing_ms"]
            self._inputs.poll(missing_s=missing_s, is_paused=self._is_paused())
            self._submit(self._stream.expire())
            self._watch_device()
        if self._health.worst != self._said_worst:
            self._on_diagnostics()

    def _watch_device(self) -> None:
        """Stops, and says so, when the networks do not come to an end with one piece of work."""
        assert self._worker is not None
        limit_s = self.get_parameter("device_timeout_s").value
        if self._device_watch.poll(self._worker.work_in_progress) >= limit_s:
            self.hang = f"the networks have not answered for {limit_s:g} s (device_timeout_s): the device hangs"
            self._health.hold("device", f"{self.hang}; the node has to be started anew, which respawn:=true does")
            self._on_diagnostics()
            self.trigger_deactivate()

    def _on_time_jump(self, jump: TimeJump) -> None:
        if self._stream is not None:
            self._submit(self._stream.clear(Reason.TIME_JUMP, "the clock jumped"))

    def _on_diagnostics(self) -> None:
        values: dict[str, object] = {"state": self._state_machine.current_state[1], "enabled": self._enabled}
        values.update(self._static_values)
        expected = {f"{name}_expected": topics for name, topics in expected_topics(self).items()}
        values.update(expected if self._inputs is None else self._inputs.values())
        values.update(self._earlier_counters + self._stream.counters if self._stream else self._earlier_counters)
        values["events_waiting"] = self._worker.num_waiting if self._worker else 0
        values.update(self._stage_ms)
        self._said_worst = self._health.worst
        self._health.publish(values)

    def _is_paused(self) -> bool:
        """Whether nothing has to arrive: switched off, or simulated time stands."""
        clock = self.get_clock()
        assert isinstance(clock, ROSClock)
        now_ns = clock.now().nanoseconds
        stands, self._seen_ns = now_ns == self._seen_ns, now_ns
        return not self._enabled or (stands and clock.ros_time_is_active)

    # --- services and parameters ---

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        if not self._enabled and self._stream is not None:
            self._submit(self._stream.clear(Reason.STOPPED, "perception was switched off"))
        response.success = True
        response.message = "listening" if self._enabled else "not listening"
        return response

    async def _on_segment(
        self, request: SegmentCollision.Request, response: SegmentCollision.Response
    ) -> SegmentCollision.Response:
        assert self.executor is not None  # it runs this callback
        return await answer_segment(
            request, response, worker=self._worker, outputs=self._outputs, executor=self.executor
        )

    def _on_set_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        return check_change(self, changes, preset=self._preset, active=self._worker is not None)

    def _on_parameters_set(self, changes: list[Parameter[Any]]) -> None:
        self._apply_live_parameters()

    def _apply_live_parameters(self) -> None:
        if self._worker is None or self._stream is None or self._pipeline is None or self._preset is None:
            return
        values = parameter_values(self)
        self._stream.config = stream_config(values, self._preset)
        verification = verification_config(values, self._preset)
        self._pipeline.config = replace(self._pipeline.config, verification=verification)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs the node until Ctrl-C or SIGTERM, and ends the process."""
    status = _run(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    # To tear PyTorch down takes a second, and may crash under a thread that still computes.
    os._exit(status)


def _run(argv: Sequence[str] | None) -> int:
    try:
        return _run_in_context(argv)
    except KeyboardInterrupt:
        return 0
    except (ValueError, ParameterException) as error:
        print(f"perception: {error}", file=sys.stderr)
        return 1


def _run_in_context(argv: Sequence[str] | None) -> int:
    # rclpy's own handlers would end the context before the last events are published.
    with ros_context(argv, signals=SignalHandlerOptions.NO):
        stop = threading.Event()
        _on_signals(lambda *_: stop.set())
        node = PerceptionNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.get_parameter("autostart").value and not _start_while_spinning(node, executor, stop):
            return 0 if stop.is_set() else 1
        while not stop.is_set() and not node.hang:
            executor.spin_once(timeout_sec=0.1)
        if node.hang:
            time.sleep(_LAST_WORDS_S)
            return 1  # to free what hangs may hang too
        node.destroy_node()
    return 0


def _start_while_spinning(node: PerceptionNode, executor: SingleThreadedExecutor, stop: threading.Event) -> bool:
    """Starts the node.

    Returns:
        Whether the node is active; False where it failed, having logged why, or `stop` was set, or a request gave
        loading up.
    """
    configured = node.configure_in_background()
    while not configured.done() and not stop.is_set():
        executor.spin_once(timeout_sec=0.1)
    if stop.is_set() or configured.result() is not TransitionCallbackReturn.SUCCESS:
        return False
    return node.trigger_activate() is TransitionCallbackReturn.SUCCESS


def _on_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


if __name__ == "__main__":
    main()
