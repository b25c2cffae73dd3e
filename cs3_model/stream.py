"""From audio blocks and camera frames, as they arrive, to events that are ready to be segmented.

    audio -> AudioRing -> OnsetDetector --+--> Prepare  (an onset may have begun: vision can start)
    frames -> FrameRing ------------------+--> Finish   (onset confirmed, frame chosen, audio window complete)
                                          +--> Fail     (onset confirmed, but something is missing)
                                          +--> Withdraw (it was no collision after all)

The live node, bag replay and evaluation all push into the same class; only who runs the steps differs. Every confirmed
onset ends in exactly one `Finish` or `Fail`. Nothing here starts a thread or reads a clock, except that `expire`
compares monotonic arrival times.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from cs3_model.audio_ring import AcceptedAudio, AudioRing, Discontinuity
from cs3_model.block_order import BlockOrder
from cs3_model.frame_ring import FrameRing, StoredFrame
from cs3_model.onset import CollisionGate, OnsetConfig, OnsetDetector, OnsetEvent, OnsetState
from cs3_model.steps import Event, Fail, Finish, Prepare, Step, Withdraw
from cs3_model.types import AudioBlock, Float32Array, Reason, check_window_span

_NS = 1_000_000_000
_STOPPED_S = 0.5
"""A camera or microphone that sent nothing for this long has stopped."""
_DETECTION_BLOCK_S = 0.04
"""The detector hears at least this much at once: smaller calls cost about as much each."""
_MOTION_REACH = 2.5
"""A frame at most so many times `motion_s` from that of the onset still tells what moved."""
_DURATIONS = (
    "max_frame_offset_s",
    "max_missing_s",
    "motion_s",
    "motion_wait_s",
    "patience_s",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamConfig:
    """How events are put together."""

    audio_pre_s: float = 1.0
    """Audio before the onset that the models hear, seconds."""
    audio_post_s: float = 1.0
    """Audio after the onset that the models hear, seconds. The masks cannot come earlier than this."""
    max_frame_offset_s: float = 0.1
    """The frame may lie this far from the onset, seconds."""
    replace_bad_frame: bool = False
    """Whether the next nearest frame may stand in for one that cannot be decoded."""
    max_missing_s: float = 0.1
    """Audio that may be missing inside the window (filled with zeros), seconds."""
    motion_s: float = 0.0
    """How far from the frame of the onset the frames before and after it lie that tell what moved, seconds; 0: no such
    frames are needed."""
    motion_wait_s: float = 0.1
    """How long an event waits for the frame after the onset once that and the sound are due, seconds of sound. Without
    it the event ends all the same, and motion after the onset is unknown."""
    patience_s: float = 1.0
    """How long an event waits for a late frame or late audio beyond its window, seconds."""
    max_frame_bytes: int = 128 * 2**20
    """Memory for undecoded frames, bytes."""
    onset: OnsetConfig = field(default_factory=OnsetConfig)
    """Thresholds of the onset detector."""

    def __post_init__(self) -> None:
        for name in _DURATIONS:
            if not 0.0 <= getattr(self, name) <= 60.0:
                raise ValueError(f"{name} must be in [0, 60] seconds, got {getattr(self, name)}")
        check_window_span(self.audio_pre_s, self.audio_post_s)


@dataclass(slots=True)
class _Waiting:
    event: Event
    confirmed: bool = False
    since_s: float = 0.0  # monotonic time of the confirmation
    frame: StoredFrame | None = None


class CollisionStream:
    """Puts events together from audio and frames.

    Args:
        config: Windows, tolerances and thresholds. May be replaced between calls, except for `onset`.
        gate: Optional second opinion on each onset.
        monotonic: Clock of arrivals, seconds.

    `counters` counts what happened to blocks, frames and onsets. Not thread-safe: one thread pushes.
    """

    def __init__(
        self,
        config: StreamConfig,
        *,
        gate: CollisionGate | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.counters: Counter[str] = Counter()
        self._gate = gate
        self._monotonic = monotonic
        self._audio = AudioRing(span_s=config.audio_pre_s + config.audio_post_s + config.patience_s + 5.0)
        self._frames = FrameRing(max_bytes=config.max_frame_bytes)
        self._detector: OnsetDetector | None = None
        self._order = BlockOrder()
        self._last_audio_s = self._last_frame_s = 0.0  # monotonic times of arrival
        self._unheard: list[Float32Array] = []
        self._first_event_id = 0
        self._num_detected = 0
        self._waiting: dict[int, _Waiting] = {}

    def push_audio(self, block: AudioBlock) -> list[Step]:
        """Takes one block of sound; blocks that come out of order are put in order first, within a tenth of a second.

        Raises:
            ValueError: if the block's shape makes no sense, or the detector cannot hear its rate.
        """
        self._last_audio_s = self._monotonic()
        return self._push_in_order(self._order.put(block))

    def _push_in_order(self, blocks: list[AudioBlock]) -> list[Step]:
        if self._order.num_reordered:
            self.counters["audio_reordered"] = self._order.num_reordered
        return [step for block in blocks for step in self._push(block)]

    def _push(self, block: AudioBlock) -> list[Step]:
        detector = self._detector
        if detector is None or detector.sample_rate_hz != block.sample_rate_hz:
            # Refuses bad rates before anything changes.
            detector = OnsetDetector(sample_rate_hz=block.sample_rate_hz, config=self.config.onset, gate=self._gate)
        accepted = self._audio.push(block)
        self.counters["audio_blocks"] += 1
        self.counters["samples_repaired"] += accepted.num_repaired
        steps = self._on_discontinuity(accepted)
        if detector is not self._detector:
            self._detector, self._first_event_id = detector, self._num_detected
        self._unheard.append(accepted.samples)
        return steps + self._hear(_DETECTION_BLOCK_S) + self._completed()

    def push_frame(self, frame: StoredFrame) -> list[Step]:
        """Takes one undecoded frame."""
        self.counters["frames"] += 1
        self._last_frame_s = self._monotonic()
        if self._frames.push(frame):
            self.counters["frame_jumps"] += 1
        return self._choose_frames() + self._completed()

    def expire(self) -> list[Step]:
        """Ends confirmed events that have waited too long, with what there is. Call it a few times per second."""
        config = self.config
        limit_s = max(config.audio_post_s, config.motion_s + config.motion_wait_s) + config.patience_s
        now_s = self._monotonic()
        sound_stopped = now_s - self._last_audio_s > _STOPPED_S
        steps = self._push_in_order(self._order.flush()) if sound_stopped else []
        waiting = list(self._waiting.values())
        return steps + [self._end(event) for event in waiting if event.confirmed and now_s - event.since_s > limit_s]

    def close(self) -> list[Step]:
        """Ends all events with what there is, at the end of a recording."""
        steps = self._push_in_order(self._order.flush()) + self._hear(0.0)
        steps += self._on_onsets(self._detector.flush()) if self._detector else []
        return steps + [self._end(waiting) for waiting in list(self._waiting.values())]

    def clear(self, reason: Reason, detail: str) -> list[Step]:
        """Forgets all audio and frames; confirmed events fail with the given reason."""
        self._unheard = []
        self._order.clear()
        steps = self._on_onsets(self._detector.reset()) if self._detector else []
        self._audio.clear()
        self._frames.clear()
        return steps + self._abandon(reason, detail)

    def _on_discontinuity(self, accepted: AcceptedAudio) -> list[Step]:
        kind = accepted.discontinuity
        if kind is None:
            return []
        self.counters[f"audio_{kind.value}"] += 1
        self.counters["audio_missing_ms"] += round(accepted.missing_s * 1000)
        if kind is Discontinuity.DUPLICATE:
            return []
        self._unheard = []
        steps = self._on_onsets(self._detector.reset()) if self._detector else []
        if kind is Discontinuity.JUMP:
            steps += self._abandon(Reason.TIME_JUMP, "the audio's stamps jumped")
        if kind is Discontinuity.RATE_CHANGE:
            steps += self._abandon(Reason.AUDIO_GAP, "the audio's sample rate changed")
        return steps

    def _hear(self, at_least_s: float) -> list[Step]:
        """Hands what has gathered to the detector, if it is that much. What a gap cuts off is not worth hearing."""
        num_samples = sum(block.size for block in self._unheard)
        if self._detector is None or not num_samples or num_samples < at_least_s * self._detector.sample_rate_hz:
            return []
        samples, self._unheard = np.concatenate(self._unheard), []
        return self._on_onsets(self._detector.push(samples))

    def _on_onsets(self, onsets: list[OnsetEvent]) -> list[Step]:
        steps: list[Step] = []
        for onset in onsets:
            event_id = self._first_event_id + onset.onset_id
            self.counters[f"onsets_{onset.state.value}"] += 1
            if onset.state is OnsetState.PROVISIONAL:
                self._num_detected = event_id + 1
                event = Event(
                    event_id=event_id,
                    onset_ns=self._audio.time_of_run_sample(onset.onset_sample),
                    strength_db=onset.strength_db,
                )
                self._waiting[event_id] = _Waiting(event=event)
            elif event_id in self._waiting and onset.state is OnsetState.CONFIRMED:
                waiting = self._waiting[event_id]
                waiting.event = replace(waiting.event, doubt=onset.doubt)
                waiting.confirmed, waiting.since_s = True, self._monotonic()
            elif event_id in self._waiting:
                steps.append(Withdraw(event=self._waiting.pop(event_id).event))
        return steps + self._choose_frames()

    def _choose_frames(self) -> list[Step]:
        """Once a frame at or after the onset is here, no later one can be nearer."""
        steps: list[Step] = []
        newest_ns = self._frames.newest_ns
        for waiting in self._waiting.values():
            if waiting.frame is None and newest_ns is not None and newest_ns >= waiting.event.onset_ns:
                waiting.frame = self._frames.nearest(waiting.event.onset_ns)
                if waiting.frame is not None and self._is_near(waiting.frame, waiting.event):
                    before = self._frame_before(waiting.frame)
                    steps.append(Prepare(event=waiting.event, frame=waiting.frame, before=before))
        return steps

    def _completed(self) -> list[Step]:
        ready = [waiting for waiting in self._waiting.values() if waiting.confirmed and self._is_complete(waiting)]
        return [self._end(waiting) for waiting in ready]

    def _is_complete(self, waiting: _Waiting) -> bool:
        """Whether frame and sound are here, and the frame after the onset, or all the sound that it may take to come."""
        heard_ns = self._audio.end_ns
        if waiting.frame is None or heard_ns is None:
            return False
        config, onset_ns = self.config, waiting.event.onset_ns
        if heard_ns < onset_ns + round(config.audio_post_s * _NS):
            return False
        due_ns = onset_ns + round(config.motion_s * _NS)
        newest_ns = self._frames.newest_ns
        if config.motion_s == 0.0 or (newest_ns is not None and newest_ns >= due_ns):
            return True
        return heard_ns >= max(due_ns, onset_ns + round(config.audio_post_s * _NS)) + round(config.motion_wait_s * _NS)

    def _frame_before(self, frame: StoredFrame) -> StoredFrame | None:
        """The frame about `motion_s` before that of an onset, if motion is asked for."""
        span_ns = self._motion_ns
        return self._in_reach(frame, self._frames.nearest(frame.stamp_ns - span_ns, before_ns=frame.stamp_ns))

    def _frame_after(self, frame: StoredFrame) -> StoredFrame | None:
        """The frame about `motion_s` after that of an onset, if motion is asked for."""
        span_ns = self._motion_ns
        return self._in_reach(frame, self._frames.nearest(frame.stamp_ns + span_ns, after_ns=frame.stamp_ns))

    def _in_reach(self, frame: StoredFrame, other: StoredFrame | None) -> StoredFrame | None:
        if other is None or abs(other.stamp_ns - frame.stamp_ns) > _MOTION_REACH * self._motion_ns:
            return None
        return other

    @property
    def _motion_ns(self) -> int:
        return round(self.config.motion_s * _NS)

    def _end(self, waiting: _Waiting) -> Step:
        """The last step of an event, with the frame and the audio that are there now."""
        event = waiting.event
        del self._waiting[event.event_id]
        if not waiting.confirmed:
            return Withdraw(event=event)
        frame = waiting.frame or self._frames.nearest(event.onset_ns)
        if frame is None:
            return Fail(event=event, reason=Reason.NO_FRAME, detail="no image has arrived: check the image topic")
        if not self._is_near(frame, event):
            return Fail(event=event, reason=Reason.NO_FRAME, detail=self._why_no_frame(event))
        window, missing_s = self._audio.window(
            event.onset_ns - round(self.config.audio_pre_s * _NS),
            event.onset_ns + round(self.config.audio_post_s * _NS),
        )
        if missing_s > self.config.max_missing_s:
            detail = f"{missing_s:.3f} s of the audio around the onset are missing"
            return Fail(event=event, reason=Reason.AUDIO_GAP, detail=detail)
        return Finish(
            event=event,
            frame=frame,
            window=window,
            complete_s=self._monotonic(),
            before=self._frame_before(frame),
            after=self._frame_after(frame),
            spare=self._spare(frame, event),
        )

    def _spare(self, frame: StoredFrame, event: Event) -> StoredFrame | None:
        """The next nearest frame to the onset, if it may be needed and is near enough."""
        if not self.config.replace_bad_frame:
            return None
        sides = (
            self._frames.nearest(event.onset_ns, before_ns=frame.stamp_ns),
            self._frames.nearest(event.onset_ns, after_ns=frame.stamp_ns),
        )
        near = [side for side in sides if side is not None and self._is_near(side, event)]
        return min(near, key=lambda side: abs(side.stamp_ns - event.onset_ns), default=None)

    def _why_no_frame(self, event: Event) -> str:
        """What is wrong with images of which none is near enough: lost, stopped, or on another clock."""
        before_ns, after_ns = self._frames.gap_around(event.onset_ns)
        offsets_s = [(stamp_ns - event.onset_ns) / _NS for stamp_ns in (before_ns, after_ns) if stamp_ns is not None]
        near = f"the nearest image is {min(offsets_s, key=abs):+.3f} s from the onset, more than "
        near += f"{self.config.max_frame_offset_s} s: "
        if len(offsets_s) == 2:
            return near + (
                f"between {offsets_s[0]:+.3f} and {offsets_s[1]:+.3f} s no image came: images were lost, or the camera "
                "is too slow"
            )
        age_s = self._monotonic() - self._last_frame_s
        # A camera that stopped is no older by its stamps than by its arrivals.
        if after_ns is None and _STOPPED_S < age_s > abs(offsets_s[0]) - _STOPPED_S:
            return near + f"the last one arrived {age_s:.1f} s ago: the camera stopped, or its images are lost"
        return near + "check that camera and microphone use one clock"

    def _abandon(self, reason: Reason, detail: str) -> list[Step]:
        abandoned, self._waiting = list(self._waiting.values()), {}
        return [
            Fail(event=waiting.event, reason=reason, detail=detail)
            if waiting.confirmed
            else Withdraw(event=waiting.event)
            for waiting in abandoned
        ]

    def _is_near(self, frame: StoredFrame, event: Event) -> bool:
        return abs(frame.stamp_ns - event.onset_ns) <= self.config.max_frame_offset_s * _NS
