"""What differs between the distributions of ROS 2 that this package runs on; no other module asks which one it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode as RclpyLifecycleNode
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

RCLError: type[Exception] = rclpy_implementation.RCLError
"""What the middleware and the layer above it refuse."""


@contextmanager
def ros_context(
    args: Sequence[str] | None, *, context: rclpy.Context | None = None, signals: SignalHandlerOptions | None = None
) -> Iterator[None]:
    """Joins the ROS graph, and leaves it at the end of the block.

    `rclpy.init` is a context manager of its own from Kilted on only. What the middleware refuses in the block, such as
    a node or a topic that an enclave of SROS2 has no permission for, becomes a ValueError too.

    Args:
        args: Command line without the program's name; None takes that of the process.
        context: What to initialise; None takes rclpy's default.
        signals: Which signals rclpy handles; None leaves the choice to rclpy.

    Raises:
        ValueError: if rclpy refuses the command line, a parameter file, or the environment (HOME, ROS_LOG_DIR,
            ROS_DOMAIN_ID, the keys of SROS2): one line.
    """
    join_graph(args, context=context, signals=signals)
    try:
        with refusals_in_a_line():
            yield
    finally:
        rclpy.try_shutdown(context=context)


def join_graph(
    args: Sequence[str] | None, *, context: rclpy.Context | None = None, signals: SignalHandlerOptions | None = None
) -> None:
    """Initialises a context that lives longer than a block; arguments and errors as of `ros_context`."""
    try:
        given = None if args is None else list(args)
        rclpy.init(args=given, context=context, signal_handler_options=signals)
    except Exception as error:  # classes without a common base, of which most are private and differ
        raise ValueError(f"ROS refuses to start: {_one_line(error)}") from error


@contextmanager
def refusals_in_a_line() -> Iterator[None]:
    """Makes a ValueError of what the middleware refuses in the block."""
    try:
        yield
    except RCLError as error:
        raise ValueError(f"ROS refuses: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    """What rcl says, without the places in its sources."""
    text = re.sub(r",? at (line \d+ in )?\.?/\S+(:\d+)?", "", str(error))
    return " ".join(text.split())


def sender_of(info: Mapping[str, Any]) -> bytes | None:
    """The id of a message's publisher, as `endpoint_gid` of the graph; None up to Jazzy, which does not say it.

    Args:
        info: What rclpy hands to a callback of two arguments.
    """
    sender = info.get("publisher_gid")
    return None if sender is None else bytes(sender["data"])


class LifecycleNode(RclpyLifecycleNode):
    """rclpy's, with transitions that may take minutes, and that say why they do not start and why they fail.

    A transition that the state does not allow is refused; up to Jazzy rclpy ends the whole process. Where a transition
    raises, such as for a topic that SROS2 forbids, rclpy says nothing.
    """

    def __init__(self, name: str, **node_options: Any) -> None:
        Node.__init__(self, name, **node_options)
        # Reentrant: while one transition is awaited, the others and get_state are answered.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())

    def destroy_node(self) -> None:
        """Takes the node off the graph.

        rclpy leaves the state machine, and by it the node, to the garbage collector. When that came, it took the log of
        a younger node of the same name in the same process off /rosout. A transition that still runs in another thread
        keeps the machine until its end.
        """
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    async def transition(self, transition_id: int) -> TransitionCallbackReturn:
        """Does what a request asks for; override it to do so elsewhere than in the executor's thread."""
        return self.change_state(transition_id)

    def change_state(self, transition_id: int) -> TransitionCallbackReturn:
        """Runs one transition to its end.

        Raises:
            InvalidHandle: of rclpy, if the node was destroyed.
        """
        with self._state_machine:  # a node that is destroyed meanwhile would take it away, and the process with it
            if transition_id not in self._possible().values():
                self._say_refused(f"transition {transition_id}")
                return TransitionCallbackReturn.ERROR
            return super()._LifecycleNodeMixin__change_state(transition_id)  # type: ignore[misc]

    # The names that rclpy.lifecycle gives its own private methods.
    def _LifecycleNodeMixin__change_state(self, transition_id: int) -> TransitionCallbackReturn:  # noqa: N802
        return self.change_state(transition_id)

    def _LifecycleNodeMixin__execute_callback(  # noqa: N802
        self, state_id: int, previous: LifecycleState
    ) -> TransitionCallbackReturn:
        callback = self._callbacks.get(state_id)
        if callback is None:
            return TransitionCallbackReturn.SUCCESS
        try:
            return callback(previous)
        except Exception as error:  # whatever it is, the node must come to a state that it can leave
            label = self._state_machine.current_state[1]
            self.get_logger().error(f"{label} failed: {type(error).__name__}: {_one_line(error)}")
            return TransitionCallbackReturn.ERROR

    async def _LifecycleNodeMixin__on_change_state(  # noqa: N802
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        transition_id = request.transition.id
        if label := request.transition.label:
            if label not in self._possible():
                self._say_refused(f"the transition {label}")
                response.success = False
                return response
            transition_id = self._possible()[label]
        response.success = await self.transition(transition_id) is TransitionCallbackReturn.SUCCESS
        return response

    def _possible(self) -> dict[str, int]:
        """Transitions that may be asked for now, by label; those that end another one are not for others."""
        with self._state_machine:
            possible = {label: number for number, label, *_ in self._state_machine.available_transitions}
        return {label: number for label, number in possible.items() if not label.startswith("transition_")}

    def _say_refused(self, transition: str) -> None:
        state = self._state_machine.current_state[1]
        choice = ", ".join(sorted(self._possible())) or "none until the present one has ended"
        self.get_logger().error(f"{transition} is refused: the node is {state}; possible: {choice}")
