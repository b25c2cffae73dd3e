"""What can be wrong with the perception node, seen from a client."""

from __future__ import annotations


class PerceptionError(RuntimeError):
    """The perception node did not do what was asked; the message says why and what to do."""


class PerceptionAbsentError(PerceptionError):
    """The node is not on the graph."""


class PerceptionSilentError(PerceptionError, TimeoutError):
    """The node is on the graph, but nothing came in time; the message repeats the node's own diagnostics."""


class PerceptionVersionError(PerceptionError):
    """The node was built with another definition of the messages than this program."""


class PerceptionRefusedError(PerceptionError):
    """The node answered that it cannot do it."""
