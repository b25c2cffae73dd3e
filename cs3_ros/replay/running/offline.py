"""A bag through the node's own stream and pipeline at full speed: no graph, no threads, no clock but the bag's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from cs3_model.pipeline import CollisionPipeline
from cs3_model.steps import Fail, Finish, Step
from cs3_model.stream import CollisionStream, StreamConfig
from cs3_model.types import AudioBlock, no_collision
from cs3_model.worker import OnResult, Outcome, segment_event
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.reading.bag_inputs import BagInputs, Item

_POLL_PERIOD_S = 0.1
"""How often the node ends events that wait too long."""


def replay_offline(
    inputs: BagInputs,
    pipeline: CollisionPipeline,
    config: StreamConfig,
    on_result: OnResult,
    *,
    on_progress: Callable[[int, AudioBlock | None], None] = lambda time_ns, block: None,
) -> Counter[str]:
    """Replays a bag; the same bag gives the same events.

    Only the images that an event needs are decoded.

    Args:
        inputs: The bag.
        pipeline: Segments each event.
        config: Windows, tolerances and thresholds.
        on_result: Called for each confirmed onset, exactly once.
        on_progress: Called for each message with the time of its reception and the sound in it, if any.

    Returns:
        The counters of the stream.
    """
    replay = _OfflineReplay(inputs, pipeline, config, on_result)
    for time_ns, item in inputs.read():
        replay.take(time_ns, item)
        on_progress(time_ns, item if isinstance(item, AudioBlock) else None)
    replay.end()
    return replay.stream.counters


class _OfflineReplay:
    def __init__(
        self, inputs: BagInputs, pipeline: CollisionPipeline, config: StreamConfig, on_result: OnResult
    ) -> None:
        self._inputs, self._pipeline, self._on_result = inputs, pipeline, on_result
        self._now_s = self._polled_s = 0.0
        self.stream = CollisionStream(config, monotonic=lambda: self._now_s)

    def take(self, time_ns: int, item: Item) -> None:
        """Takes one message."""
        # Never back: the stream expects a monotonic clock, and salvaged files are not sorted.
        self._now_s = max(self._now_s, time_ns / NS_PER_S)
        try:
            self._run(self._push(item))
        except ValueError as error:  # as the node does, refuses what the stream cannot hear
            topics = self._inputs.topics
            self._inputs.refuse(topics.audio if isinstance(item, AudioBlock) else topics.image, error)
        if self._now_s - self._polled_s >= _POLL_PERIOD_S:
            self._polled_s = self._now_s
            self._run(self.stream.expire())

    def end(self) -> None:
        """Ends what still waits."""
        self._run(self.stream.close())

    def _push(self, item: Item) -> list[Step]:
        if isinstance(item, AudioBlock):
            return self.stream.push_audio(item)
        return self.stream.push_frame(item)

    def _run(self, steps: Iterable[Step]) -> None:
        """Vision does not start early: half of the onsets that may have begun are none, and nobody waits."""
        for step in steps:
            if isinstance(step, Finish):
                self._on_result(step.event, segment_event(self._pipeline, step))
            elif isinstance(step, Fail):
                self._on_result(step.event, Outcome(result=no_collision(step.reason, step.detail)))
