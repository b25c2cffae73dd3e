"""The perception node: camera and microphone topics in, masks of what collided out.

Here are its states, services, parameters and diagnostics; what it does while it is active is in `listening`, how its
process runs in `process`. Everything that decides is in cs3_model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NoReturn

from cs3_msgs.srv import SegmentCollision
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from cs3_ros.distribution import LifecycleNode
from cs3_ros.heartbeat import beat
from cs3_ros.perception.health import Health
from cs3_ros.perception.inputs import expected_topics
from cs3_ros.perception.listening import Listening
from cs3_ros.perception.loading import Loading, LoadingCancelledError, in_executor, run_in_thread
from cs3_ros.perception.log_forwarding import LogForwarder
from cs3_ros.perception.networks import LoadedNetworks, load_networks
from cs3_ros.perception.outputs import CollisionOutputs
from cs3_ros.perception.parameters import (
    check_change,
    declare_parameters,
    parameter_values,
    unknown_parameters,
)
from cs3_ros.perception.process import run_until_stopped
from cs3_ros.perception.segment_service import answer_segment
from cs3_ros.qos import requests

_DIAGNOSTICS_PERIOD_S = 1.0
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
        self._networks: LoadedNetworks | None = None
        self._outputs: CollisionOutputs | None = None
        self._listening: Listening | None = None
        self._loading: Loading[LoadedNetworks] | None = None
        self._configured: Future[TransitionCallbackReturn] | None = None
        self._enabled = True
        self._said_worst = ""
        self._earlier_counters: Counter[str] = Counter()
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
        self._networks = loaded
        self._outputs = CollisionOutputs(self, preset=loaded.chosen, pipeline=loaded.pipeline)
        self._health.hardware_id = loaded.device
        self.get_logger().info(f"preset {loaded.chosen.title} runs on {loaded.device}: {loaded.preset.description}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Starts to listen."""
        assert self._networks is not None and self._outputs is not None
        try:
            self._listening = Listening(
                self,
                networks=self._networks,
                outputs=self._outputs,
                health=self._health,
                enabled=self._enabled,
                steady_clock=self._steady_clock,
                on_poll=self._on_poll,
                on_hang=self._on_hang,
            )
        except ValueError as error:
            return self._refuse("activate", error)
        self._health.resolve("activate")
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
        if self._listening is not None:
            self._listening.stop(self.hang)
            self._earlier_counters.update(self._listening.counters)
            self._listening = None

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
        if self._networks is not None:
            from cs3_model.build import release_memory

            self._networks = self._outputs = None
            release_memory()

    # --- what it says of itself ---

    def _on_hang(self, hang: str) -> None:
        """Stops, and says so."""
        self.hang = hang
        self._health.hold("device", f"{hang}; the node has to be started anew, which respawn:=true does")
        self._on_diagnostics()
        self.trigger_deactivate()

    def _on_poll(self) -> None:
        if self._health.worst != self._said_worst:
            self._on_diagnostics()

    def _on_diagnostics(self) -> None:
        values: dict[str, object] = {"state": self._state_machine.current_state[1], "enabled": self._enabled}
        if self._networks is not None:
            values.update(self._networks.values())
        listening = self._listening
        expected = {f"{name}_expected": topics for name, topics in expected_topics(self).items()}
        values.update(expected if listening is None else listening.values())
        values.update(self._earlier_counters if listening is None else self._earlier_counters + listening.counters)
        values["events_waiting"] = 0 if listening is None else listening.worker.num_waiting
        self._said_worst = self._health.worst
        self._health.publish(values)

    # --- services and parameters ---

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        if self._listening is not None:
            self._listening.enable(self._enabled)
        response.success = True
        response.message = "listening" if self._enabled else "not listening"
        return response

    async def _on_segment(
        self, request: SegmentCollision.Request, response: SegmentCollision.Response
    ) -> SegmentCollision.Response:
        assert self.executor is not None  # it runs this callback
        worker = self._listening.worker if self._listening is not None else None
        return await answer_segment(request, response, worker=worker, outputs=self._outputs, executor=self.executor)

    def _on_set_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        preset = self._networks.preset if self._networks is not None else None
        return check_change(self, changes, preset=preset, active=self._listening is not None)

    def _on_parameters_set(self, changes: list[Parameter[Any]]) -> None:
        if self._listening is not None:
            self._listening.apply_parameters()


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs the node until Ctrl-C or SIGTERM, and ends the process."""
    run_until_stopped(PerceptionNode, argv)


if __name__ == "__main__":
    main()
