"""What is wrong, and how much is received and lost: one log line per distinct problem, and /diagnostics (REP-107)."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

_REPEAT_LOG_S = 10.0
_CHANGED_LOG_S = 1.0
_FORGET_S = 10.0
_FORGET_MESSAGES_S = 1.5
"""A message that could not be used is over sooner: input that is good again must look good within 2 s."""


@dataclass(slots=True)
class _Problem:
    level: bytes
    message: str
    lasts_s: float = _FORGET_S
    count: int = 0
    last_s: float = 0.0
    last_log_s: float = float("-inf")


class Health:
    """Collects problems by key, logs each at most every ten seconds, and publishes diagnostics.

    A problem whose message changes, other than in its numbers, is logged again after a second at the earliest. One that
    has not been reported for ten seconds is over, but for those that `hold` reports. Thread-safe.

    Args:
        node: Whose logger and /diagnostics topic are used.
        component: What of the node the status is about.
    """

    def __init__(self, node: Node, component: str = "perception") -> None:
        self.hardware_id = ""
        """Names the device in the diagnostics."""
        self.stage_ms: dict[str, float] = {}
        """How long the stages of the last event took, milliseconds, for the diagnostics."""
        self._node = node
        self._name = f"{node.get_fully_qualified_name()}: {component}"
        self._counters: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._problems: dict[str, _Problem] = {}
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)

    def count(self, name: str) -> None:
        """Adds one to a counter of the diagnostics."""
        with self._lock:
            self._counters[name] += 1

    def warn(self, key: str, message: str) -> None:
        """Reports that something is not as it should be, but work goes on."""
        if self._note(key, message, DiagnosticStatus.WARN):
            self._node.get_logger().warning(message)

    def error(self, key: str, message: str, *, is_brief: bool = False) -> None:
        """Reports that something is lost or does not work; a brief problem is over soon if it is not repeated."""
        lasts_s = _FORGET_MESSAGES_S if is_brief else _FORGET_S
        if self._note(key, message, DiagnosticStatus.ERROR, lasts_s):
            self._node.get_logger().error(message)

    def hold(self, key: str, message: str, *, is_warning: bool = False) -> None:
        """Reports, and logs each time, what stays wrong until it is resolved."""
        level, log = DiagnosticStatus.ERROR, self._node.get_logger().error
        if is_warning:
            level, log = DiagnosticStatus.WARN, self._node.get_logger().warning
        self._note(key, message, level, float("inf"))
        log(message)

    def resolve(self, key: str) -> None:
        """Says that a problem is over."""
        with self._lock:
            self._problems.pop(key, None)

    @property
    def worst(self) -> str:
        """Key of the worst problem at present, empty if there is none: diagnostics are due when it changes."""
        now_s = time.monotonic()
        with self._lock:
            active = [
                (problem.level, key)
                for key, problem in self._problems.items()
                if now_s - problem.last_s < problem.lasts_s
            ]
        return max(active, default=(b"", ""))[1]

    def publish(self, values: Mapping[str, object]) -> None:
        """Publishes one status: the worst problem as its message, all problems and `values` as its key-value pairs."""
        now_s = time.monotonic()
        with self._lock:
            self._problems = {
                key: problem
                for key, problem in self._problems.items()
                if now_s - problem.last_s < max(_FORGET_S, problem.lasts_s)
            }
            problems = {
                key: problem for key, problem in self._problems.items() if now_s - problem.last_s < problem.lasts_s
            }
            counters = dict(self._counters)
        worst = max(problems.values(), key=lambda problem: problem.level, default=None)
        pairs = {f"problem: {key}": f"{problem.message} ({problem.count}x)" for key, problem in problems.items()}
        pairs.update({name: str(value) for name, value in {**values, **self.stage_ms, **counters}.items()})
        status = DiagnosticStatus(
            level=worst.level if worst else DiagnosticStatus.OK,
            name=self._name,
            message=worst.message if worst else "ok",
            hardware_id=self.hardware_id,
            values=[KeyValue(key=key, value=value) for key, value in pairs.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _note(self, key: str, message: str, level: bytes, lasts_s: float = _FORGET_S) -> bool:
        """Stores a problem; returns whether it should be logged."""
        now_s = time.monotonic()
        with self._lock:
            problem = self._problems.setdefault(key, _Problem(level, message))
            wait_s = _REPEAT_LOG_S if _without_numbers(problem.message) == _without_numbers(message) else _CHANGED_LOG_S
            is_news = now_s - problem.last_log_s >= wait_s
            problem.level, problem.message, problem.last_s, problem.lasts_s = level, message, now_s, lasts_s
            problem.count += 1
            if is_news:
                problem.last_log_s = now_s
        return is_news


def _without_numbers(message: str) -> str:
    """A count that goes up is no news."""
    return re.sub(r"\d+", "#", message)
