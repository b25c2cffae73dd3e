"""Whether an input delivers what it should: silence, losses and slowness that no message of its own reports."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cs3_ros.perception.health import Health

_SPAN_S = 1.5
"""Rates and shares are those of the last so many seconds: a fault is said, and its end noticed, within 2 s."""
_FEWEST = 5
"""Messages that a share is worth naming of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchLimits:
    """From when on an input is not healthy."""

    timeout_s: float
    """Nothing for longer than this is an error, seconds."""
    min_rate_hz: float
    """Fewer accepted messages per second than this are a warning; 0 accepts any rate."""
    max_loss: float
    """Share of messages, or of the sound, that may be lost."""


@dataclass(slots=True)
class _Arrival:
    time_s: float
    num_messages: int
    num_accepted: int
    num_lost: int
    missing_s: float


class InputWatch:
    """Watches one input and reports to `Health`; call `look` several times per second.

    Args:
        name: Name of the input.
        limits: What is tolerated.
        health: Where problems go.
        remedy_silence: What to do when nothing arrives.
        remedy_loss: What to do when much is lost.
        monotonic: Clock, seconds.
    """

    def __init__(
        self,
        name: str,
        limits: WatchLimits,
        health: Health,
        *,
        remedy_silence: str,
        remedy_loss: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.num_messages = 0
        """Messages that arrived."""
        self.num_accepted = 0
        """Messages that could be used."""
        self.missing_s = 0.0
        """Sound that was missing between them, seconds."""
        self._name = name
        self._limits = limits
        self._health = health
        self._remedy_silence, self._remedy_loss = remedy_silence, remedy_loss
        self._monotonic = monotonic
        self._content: object = None
        self.restart()

    def note(self, content: object) -> None:
        """Takes what stands for the content of a message: the same for longer than real sensors repeat is a fault."""
        now_s = self._monotonic()
        if content is None or content != self._content:
            self._content, self._same_since_s = content, now_s
        self._noted_s = now_s

    def restart(self) -> None:
        """Begins anew, for a new publisher."""
        self._content = None
        self._same_since_s = self._noted_s = self._monotonic()
        self._last_s = self._begin_s = self._monotonic()
        self._last_accepted = self.num_accepted
        self._history: deque[_Arrival] = deque()

    @property
    def age_s(self) -> float:
        """Since the last message that could be used was seen, seconds."""
        return self._monotonic() - self._last_s

    @property
    def rate_hz(self) -> float:
        """Messages per second that could be used."""
        if len(self._history) < 2:
            return 0.0
        first, last = self._history[0], self._history[-1]
        return (last.num_accepted - first.num_accepted) / max(last.time_s - first.time_s, 1e-3)

    def look(self, *, topic: str | None, num_lost: int, is_paused: bool = False) -> None:
        """Reports what is wrong at present and takes back what is over.

        Args:
            topic: What is subscribed; None while nothing is, which others report.
            num_lost: Messages that the middleware has lost so far.
            is_paused: Whether nothing has to come, for instance because simulated time stands.
        """
        now_s = self._monotonic()
        if topic is None or is_paused:
            self.restart()
            for kind in ("silent", "stuck", "loss", "rate"):
                self._health.resolve(f"{self._name}: {kind}")
            return
        if self.num_accepted != self._last_accepted:
            self._last_accepted, self._last_s = self.num_accepted, now_s
        self._history.append(_Arrival(now_s, self.num_messages, self.num_accepted, num_lost, self.missing_s))
        while now_s - self._history[0].time_s > _SPAN_S:
            self._history.popleft()
        self._report("silent", self._silence(topic))
        self._report("stuck", self._stuckness(topic))
        self._report("loss", self._loss(topic))
        self._report("rate", self._slowness(topic))

    def _silence(self, topic: str) -> str | None:
        if self.age_s <= self._limits.timeout_s:
            return None
        what = f"nothing arrives on {topic} though it has a publisher"
        if self.num_accepted:
            what = f"nothing has arrived on {topic} for {int(self.age_s)} s"
        first, last = self._history[0], self._history[-1]
        if last.num_messages - first.num_messages > last.num_accepted - first.num_accepted:
            what = f"no message on {topic} can be used"
        return f"{self._name}: {what}: {self._remedy_silence}"

    def _stuckness(self, topic: str) -> str | None:
        same_s = self._noted_s - self._same_since_s
        if self._content is None or same_s <= self._limits.timeout_s or self.age_s > self._limits.timeout_s:
            return None
        return (
            f"{self._name}: {topic} has brought the very same content for {int(same_s)} s: it is stuck or switched off"
        )

    def _loss(self, topic: str) -> str | None:
        first, last = self._history[0], self._history[-1]
        lost = last.num_lost - first.num_lost
        sent = lost + last.num_messages - first.num_messages
        if lost >= _FEWEST and lost > self._limits.max_loss * sent:
            return f"{self._name}: {100 * lost / sent:.0f} % of the messages on {topic} are lost: {self._remedy_loss}"
        span_s, missing_s = last.time_s - first.time_s, last.missing_s - first.missing_s
        if span_s >= 0.5 * _SPAN_S and missing_s > self._limits.max_loss * span_s:
            share = min(100, round(100 * missing_s / span_s))
            return f"{self._name}: {share} % of the sound on {topic} is missing: {self._remedy_loss}"
        return None

    def _slowness(self, topic: str) -> str | None:
        if self._monotonic() - self._begin_s < _SPAN_S or self.age_s > self._limits.timeout_s:
            return None
        if self.rate_hz >= self._limits.min_rate_hz:
            return None
        return (
            f"{self._name}: {topic} brings {self.rate_hz:.1f} per second, fewer than {self._limits.min_rate_hz:g}: "
            "most collisions have none near enough; make the driver faster, or set its limit lower"
        )

    def _report(self, kind: str, problem: str | None) -> None:
        key = f"{self._name}: {kind}"
        if problem is None:
            self._health.resolve(key)
        elif kind == "silent":
            self._health.error(key, problem)
        else:
            self._health.warn(key, problem)
