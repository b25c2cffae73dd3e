"""One bag through the pipeline or the real node: what was found, one record per event, and what it took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cs3_model.build import Preset, build_pipeline, load_preset, select_device
from cs3_model.pipeline import CollisionPipeline
from cs3_model.steps import Event
from cs3_model.types import AudioBlock, AudioWindow, CollisionResult, Frame
from cs3_model.worker import Outcome
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.perception.parameters import SPECS, stream_config, verification_config
from cs3_ros.replay.reading.bag_inputs import BagInputs
from cs3_ros.replay.reading.envelope import Envelope
from cs3_ros.replay.reading.event_media import read_event_media
from cs3_ros.replay.records import EventRecord, Timing, record_event, result_of
from cs3_ros.replay.running.offline import replay_offline
from cs3_ros.replay.running.options import EvaluationOptions

if TYPE_CHECKING:
    from cs3_ros.replay.running.live import LiveEvent, LiveLoad

Progress = Callable[[float, float], None]
"""Told how many seconds of the bag are replayed, and how long it is."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EventPicture:
    """What there is to draw of one event; it is drawn at once, because a bag's images do not fit into memory."""

    event: EventRecord
    result: CollisionResult
    frame: Frame | None
    window: AudioWindow | None
    trained: bool
    """Whether the masks mean anything."""


Draw = Callable[[EventPicture], None]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Replay:
    """What a replay found, and what it took."""

    events: tuple[EventRecord, ...]
    """In the order of their onsets, as far as the bag is in order."""
    timings: tuple[Timing, ...]
    """How long each event took."""
    envelope: Envelope
    """Of the sound."""
    counters: Counter[str]
    """Of the stream, or of the node."""
    trained: bool
    """Whether the masks mean anything."""
    wall_s: float
    """Time that the replay took, without loading the networks of an offline one."""
    load: LiveLoad | None = None
    """What the node used; None for an offline replay."""


def replay_bag(
    inputs: BagInputs, options: EvaluationOptions, *, params_path: Path, draw: Draw, show: Progress
) -> Replay:
    """Replays a bag.

    Args:
        inputs: The bag.
        options: How.
        params_path: Where a live replay writes the node's parameter file.
        draw: Called once for each event.
        show: Called as the replay goes on.

    Raises:
        ValueError: if the bag cannot be replayed, in one line that says what to do.
    """
    if options.live:
        return _replay_live(inputs, options, params_path, draw, show)
    return _replay_offline(inputs, options, draw, show)


@lru_cache(maxsize=1)
def load_pipeline(preset: str, device: str) -> CollisionPipeline:
    """Builds the pipeline once per process."""
    loaded: Preset = load_preset(preset)
    return build_pipeline(loaded, device=select_device(device))


def _replay_offline(inputs: BagInputs, options: EvaluationOptions, draw: Draw, show: Progress) -> Replay:
    preset = load_preset(options.values["preset"])
    pipeline = load_pipeline(options.values["preset"], options.values["device"])
    pipeline.config = replace(preset.pipeline, verification=verification_config(options.values, preset))
    begin_s = time.perf_counter()
    events: list[EventRecord] = []
    timings: list[Timing] = []
    envelope = Envelope()

    def on_result(event: Event, outcome: Outcome) -> None:
        result, frame, event_id = outcome.result, outcome.frame, len(events)
        frame_ns = frame.stamp_ns if frame else None
        events.append(record_event(event_id, event, result, frame_ns=frame_ns, start_ns=inputs.bag.start_ns))
        timings.append(Timing(event_id=event_id, stage_ms=_milliseconds(result.stage_s)))
        draw(
            EventPicture(event=events[-1], result=result, frame=frame, window=outcome.window, trained=pipeline.trained)
        )

    counters = replay_offline(
        inputs,
        pipeline,
        stream_config(options.values, preset),
        on_result,
        on_progress=_follower(inputs.bag, envelope, show),
    )
    return Replay(
        events=tuple(events),
        timings=tuple(timings),
        envelope=envelope,
        counters=counters,
        trained=pipeline.trained,
        wall_s=time.perf_counter() - begin_s,
    )


def _replay_live(
    inputs: BagInputs, options: EvaluationOptions, params_path: Path, draw: Draw, show: Progress
) -> Replay:
    from cs3_ros.replay.running.live import replay_live  # ROS takes memory that offline replay does not need

    bag = inputs.bag
    if bag.losses:
        raise ValueError(f"{bag.losses[0]}; a live replay needs a whole bag: evaluate it offline")
    values = _live_values(inputs, options)
    config = stream_config(values, load_preset(options.values["preset"]))
    begin_s = time.perf_counter()
    events: list[EventRecord] = []
    timings: list[Timing] = []
    trained: list[bool] = []

    def on_event(live: LiveEvent) -> None:
        event_id = len(events)
        # The end of the bag cuts the sound of its last events: they are published late, by the node's patience.
        is_whole = live.event.onset_ns + config.audio_post_s * NS_PER_S <= bag.end_ns
        events.append(record_event(event_id, live.event, live.result, frame_ns=live.frame_ns, start_ns=bag.start_ns))
        timings.append(
            Timing(
                event_id=event_id,
                stage_ms=_milliseconds(live.result.stage_s),
                after_last_sample_ms=live.after_last_sample_ms,
                after_onset_ms=live.after_onset_ms if is_whole else None,
            )
        )
        trained.append(live.trained)

    load = replay_live(bag, inputs.topics, values, on_event, params_path=params_path, rate=options.rate)
    events.sort(key=lambda event: event.onset_ns)  # the node answers the newest first
    envelope = Envelope()
    media = read_event_media(inputs, events, config, on_message=_follower(bag, envelope, show))
    for event, frame, window in media:
        draw(EventPicture(event=event, result=result_of(event), frame=frame, window=window, trained=all(trained)))
    return Replay(
        events=tuple(events),
        timings=tuple(timings),
        envelope=envelope,
        counters=Counter(load.counters),
        trained=all(trained),
        wall_s=time.perf_counter() - begin_s,
        load=load,
    )


def _live_values(inputs: BagInputs, options: EvaluationOptions) -> dict[str, Any]:
    """The node's parameters; the node shifts the sound as `inputs` does."""
    values = {**options.values}
    values["audio_stamp_offset_s"] += inputs.shift_audio_ns / NS_PER_S
    spec = SPECS["audio_stamp_offset_s"]
    if not spec.low <= values["audio_stamp_offset_s"] <= spec.high:
        raise ValueError(
            f"the node corrects offsets of {spec.low} to {spec.high} s, not {values['audio_stamp_offset_s']:.3f} s: "
            "evaluate the bag offline"
        )
    return values


def _follower(bag: RecordedBag, envelope: Envelope, show: Progress) -> Callable[[int, AudioBlock | None], None]:
    """Returns what is called with each message: it adds its sound to the envelope, and shows the progress."""

    def on_message(time_ns: int, block: AudioBlock | None) -> None:
        if block is not None:
            envelope.add((block.stamp_ns - bag.start_ns) / NS_PER_S, block.samples)
        show((time_ns - bag.start_ns) / NS_PER_S, bag.duration_s)

    return on_message


def _milliseconds(stage_s: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(1000 * seconds, 3) for stage, seconds in stage_s.items()}
