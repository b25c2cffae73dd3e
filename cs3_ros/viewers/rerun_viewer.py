"""Command line: shows live what the perception node sees, hears and decides, in Rerun or in a file of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from cs3_msgs.msg import Collision
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from cs3_model.command_errors import one_line_errors
from cs3_model.frame_ring import StoredFrame
from cs3_model.types import AudioBlock
from cs3_ros.command_line import RosCommand, run_command
from cs3_ros.conversions.collisions import collision_from_msg
from cs3_ros.conversions.times import stamp_to_ns
from cs3_ros.distribution import ros_context
from cs3_ros.heartbeat import Heartbeat
from cs3_ros.perception.health import Health
from cs3_ros.perception.inputs import PerceptionInputs
from cs3_ros.perception.parameters import declare_parameters
from cs3_ros.qos import publication
from cs3_ros.viewers.rerun_log import RerunLog, open_rerun_log

_POLL_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0


class RerunViewer(Node):
    """Writes images, sound and collisions to Rerun.

    It listens as the perception node does: the same topics, remappings and parameters of the inputs.

    Args:
        log: What to write to.
        peer: Name of the perception node.
        node_options: Options of `rclpy.node.Node`.
    """

    def __init__(self, log: RerunLog, *, peer: str = "perception", **node_options: Any) -> None:
        super().__init__("rerun_viewer", **node_options)
        self.num_collisions = 0
        self._log = log
        self._health = Health(self, component="viewer")
        declare_parameters(self)
        self._inputs = PerceptionInputs(self, self._health, on_audio=self._on_audio, on_frame=self._on_frame)
        self._peer, self._heartbeat = peer, Heartbeat(self, peer)
        self.create_subscription(Collision, f"{peer}/collision", self._on_collision, publication(100))
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_POLL_PERIOD_S, self._poll, clock=steady)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=steady)

    def _poll(self) -> None:
        self._inputs.poll()
        if self._heartbeat.has_died:
            self._health.error("node: dead", f"{self._peer} has ended or cannot be reached: start it again")
        else:
            self._health.resolve("node: dead")

    def _on_audio(self, block: AudioBlock) -> None:
        self._log.log_audio(block.samples, sample_rate_hz=block.sample_rate_hz, stamp_ns=block.stamp_ns)

    def _on_frame(self, frame: StoredFrame) -> None:
        self._log.log_image(frame.decode_image(), stamp_ns=frame.stamp_ns)

    def _on_collision(self, message: Collision) -> None:
        try:
            result = collision_from_msg(message)
        except ValueError as error:
            self._health.error("collision: message", f"collision: {error}")
            return
        self._log.log_result(
            result,
            onset_ns=stamp_to_ns(message.onset),
            frame_stamp_ns=stamp_to_ns(message.header.stamp),
            strength_db=message.onset_strength,
            latency_s=1e-3 * message.latency_ms,
            trained=message.trained,
        )
        self.num_collisions += 1

    def _publish_diagnostics(self) -> None:
        self._health.publish({**self._inputs.values(), "collisions": self.num_collisions})


def command(
    context: typer.Context,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a .rrd file instead of opening a viewer.")
    ] = None,
    connect: Annotated[str | None, typer.Option(metavar="URL", help="Send to a viewer that runs already.")] = None,
    node: Annotated[str, typer.Option(help="Name of the perception node.")] = "perception",
) -> None:
    """Show live what the perception node sees, hears and decides, in Rerun or in a file of it."""
    if save is not None and connect is not None:
        raise typer.BadParameter("not allowed with --save", param_hint="--connect")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with one_line_errors("rerun_viewer", status=1, kinds=(ValueError, ParameterException)):
        log = open_rerun_log(save=save, connect=connect)
        try:
            _run(log, node, context.args)
        finally:
            log.close()


def _run(log: RerunLog, peer: str, ros_arguments: Sequence[str]) -> None:
    try:
        # Without rclpy's own handlers, an interrupt ends in `log.close`.
        with ros_context(ros_arguments, signals=SignalHandlerOptions.NO):
            executor = SingleThreadedExecutor()
            executor.add_node(RerunViewer(log, peer=peer))
            executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the viewer until Ctrl-C or SIGTERM; returns its exit status."""
    return run_command(command, argv, name="rerun_viewer", kind=RosCommand)


if __name__ == "__main__":
    sys.exit(main())
