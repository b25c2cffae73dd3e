"""One bag from end to end: replayed, scored, and written to a folder of results."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cs3_model.build import Preset, build_pipeline, load_preset, select_device
from cs3_model.pipeline import CollisionPipeline
from cs3_model.provenance import source_commit
from cs3_model.stream import Event
from cs3_model.types import AudioBlock, AudioWindow, CollisionResult, Frame
from cs3_model.worker import Outcome
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.default_parameters import default_values
from cs3_ros.perception.parameters import SPECS, stream_config, verification_config
from cs3_ros.replay.provenance import bag_identity, versions
from cs3_ros.replay.reading.bag_inputs import BagInputs, InputTopics, choose_topics
from cs3_ros.replay.reading.clocks import ClockOffset, estimate_clock_offset
from cs3_ros.replay.reading.envelope import Envelope
from cs3_ros.replay.reading.event_media import read_event_media
from cs3_ros.replay.reading.ground_truth import TrueCollision, read_truth, truth_near
from cs3_ros.replay.records import EventRecord, Timing, record_event, result_of, summarise_timings, write_lines
from cs3_ros.replay.reporting.findings import find_warnings
from cs3_ros.replay.reporting.pictures import write_event_pictures
from cs3_ros.replay.reporting.recording import write_rerun_recording
from cs3_ros.replay.reporting.report import ReportContent, write_report
from cs3_ros.replay.reporting.scoring import WINDOWS_MS, BagScore, pooled_metrics, score_bag
from cs3_ros.replay.reporting.video import ShownEvent, write_overlay_video
from cs3_ros.replay.rle import decode_mask
from cs3_ros.replay.running.offline import replay_offline

if TYPE_CHECKING:
    from cs3_ros.replay.running.live import LiveEvent, LiveLoad

Progress = Callable[[float, float], None]
"""Told how many seconds of the bag are replayed, and how long it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """How bags are evaluated; all of it decides the results.

    Raises:
        ValueError: if a value is out of its range.
    """

    values: Mapping[str, Any] = field(default_factory=default_values)
    """Values of the node's parameters, among them its preset."""
    ground_truth: str = ""
    """Topic or file with the true collisions; empty: none."""
    audio_topic: str = ""
    """Topic of the sound; empty finds it by its type."""
    image_topic: str = ""
    """Topic of the images; empty finds it by its type."""
    live: bool = False
    """Replay through the real node in real time."""
    rate: float = 1.0
    """Speed of a live replay."""
    correct_offset: bool = False
    """Shift the sound by the estimated offset between the clocks of sound and images, and by its drift if it matters."""
    video: bool = True
    """Write overlay.mp4, which decodes all images."""
    rerun: bool = False
    """Write recording.rrd for Rerun, which decodes all images."""

    def __post_init__(self) -> None:
        if not 0.1 <= self.rate <= 10.0:
            raise ValueError(f"rate must be 0.1 to 10, got {self.rate}")


def evaluate_bag(
    path: Path, folder: Path, options: EvaluationOptions, progress: Progress = lambda done_s, all_s: None
) -> dict[str, Any]:
    """Evaluates one bag.

    Args:
        path: The bag.
        folder: Folder for the results; complete or not there at all.
        options: How.
        progress: Called as the replay goes on.

    Returns:
        What metrics.json holds.

    Raises:
        ValueError: if the bag cannot be evaluated, in one line that says what to do.
    """
    workplace = folder.with_name(f".{folder.name}-unfinished")
    shutil.rmtree(workplace, ignore_errors=True)
    workplace.mkdir(parents=True)
    try:
        with RecordedBag(path) as bag:
            metrics = _Evaluation(bag, workplace, options, progress).run()
        shutil.rmtree(folder, ignore_errors=True)
        workplace.rename(folder)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return metrics


def run_config(path: Path, options: EvaluationOptions) -> dict[str, Any]:
    """What decides the results of a bag; finished results with the same need no second run."""
    facts = {
        "bag": bag_identity(path),
        "options": asdict(options),
        "preset": asdict(load_preset(options.values["preset"])),
        "cs3": source_commit(),
    }
    return json.loads(json.dumps(facts, default=str))


class _Evaluation:
    """One run; the steps in `run` fill what the later ones need."""

    def __init__(self, bag: RecordedBag, folder: Path, options: EvaluationOptions, progress: Progress) -> None:
        self._bag, self._folder, self._options, self._progress = bag, folder, options, progress
        self._events: list[EventRecord] = []
        self._timings: list[Timing] = []
        self._truth: list[TrueCollision] = []
        self._envelope = Envelope()
        self._counters: Counter[str] = Counter()
        self._load: LiveLoad | None = None
        self._warnings: list[str] = []
        self._preset = load_preset(options.values["preset"])
        self._trained = True

    def run(self) -> dict[str, Any]:
        options, bag = self._options, self._bag
        topics = choose_topics(bag, audio=options.audio_topic, image=options.image_topic)
        inputs = BagInputs(bag, topics, options.values)
        offset = estimate_clock_offset(inputs)
        inputs = self._corrected(inputs, offset)
        self._truth = read_truth(bag, options.ground_truth) if options.ground_truth else []
        if not options.live:
            load_pipeline(options.values["preset"], options.values["device"])
        begin_s = time.perf_counter()
        if options.live:
            self._replay_live(inputs)
        else:
            self._replay_offline(inputs)
        wall_s = time.perf_counter() - begin_s
        score = score_bag(self._events, self._truth) if self._truth else None
        if options.video and not write_overlay_video(inputs.read(), self._folder / "overlay.mp4", self._shown()):
            self._warnings.append("no video: the stamps jump, so that sound and images have no common time line")
        if options.rerun:
            path = self._folder / "recording.rrd"
            write_rerun_recording(path, inputs.read(), self._events, self._timings, trained=self._trained)
        self._warnings += find_warnings(
            refused=inputs.refused,
            counters=self._counters,
            offset=offset,
            is_corrected=options.correct_offset,
            events=self._events,
            score=score,
        )
        metrics = self._metrics(topics, offset, score, wall_s)
        self._write(metrics, score)
        return metrics

    def _corrected(self, inputs: BagInputs, offset: ClockOffset | None) -> BagInputs:
        if not self._options.correct_offset or offset is None:
            return inputs
        drifts = offset.drift is not None and offset.drift.is_suspicious
        if drifts and self._options.live:
            raise ValueError("the clocks of sound and images drift, and the node corrects no drift: evaluate offline")
        return BagInputs(
            self._bag,
            inputs.topics,
            self._options.values,
            shift_audio_ns=round(offset.offset_s * NS_PER_S),
            drift_audio_ppm=offset.drift.ppm if drifts else 0.0,
        )

    def _replay_offline(self, inputs: BagInputs) -> None:
        pipeline = load_pipeline(self._options.values["preset"], self._options.values["device"])
        verification = verification_config(self._options.values, self._preset)
        pipeline.config = replace(self._preset.pipeline, verification=verification)
        self._trained = pipeline.trained

        def on_result(event: Event, outcome: Outcome) -> None:
            frame = outcome.frame
            self._record(
                record_event(
                    len(self._events),
                    event,
                    outcome.result,
                    frame_ns=frame.stamp_ns if frame else None,
                    start_ns=self._bag.start_ns,
                ),
                Timing(event_id=len(self._events), stage_ms=_milliseconds(outcome.result.stage_s)),
            )
            self._write_pictures(self._events[-1], outcome.result, frame, outcome.window)

        self._counters = replay_offline(
            inputs, pipeline, stream_config(self._options.values, self._preset), on_result, on_progress=self._on_message
        )

    def _replay_live(self, inputs: BagInputs) -> None:
        from cs3_ros.replay.running.live import replay_live  # ROS takes memory that offline replay does not need

        if self._bag.losses:
            raise ValueError(f"{self._bag.losses[0]}; a live replay needs a whole bag: evaluate it offline")
        values = {**self._options.values}
        values["audio_stamp_offset_s"] += inputs.shift_audio_ns / NS_PER_S
        spec = SPECS["audio_stamp_offset_s"]
        if not spec.low <= values["audio_stamp_offset_s"] <= spec.high:
            raise ValueError(
                f"the node corrects offsets of {spec.low} to {spec.high} s, not {values['audio_stamp_offset_s']:.3f} s: "
                "evaluate the bag offline"
            )
        config = stream_config(values, self._preset)

        def on_event(live: LiveEvent) -> None:
            # The end of the bag cuts the sound of its last events: they are published late, by the node's patience.
            is_whole = live.event.onset_ns + config.audio_post_s * NS_PER_S <= self._bag.end_ns
            self._record(
                record_event(
                    len(self._events), live.event, live.result, frame_ns=live.frame_ns, start_ns=self._bag.start_ns
                ),
                Timing(
                    event_id=len(self._events),
                    stage_ms=_milliseconds(live.result.stage_s),
                    after_last_sample_ms=live.after_last_sample_ms,
                    after_onset_ms=live.after_onset_ms if is_whole else None,
                ),
            )
            self._trained = live.trained

        self._load = replay_live(
            self._bag,
            inputs.topics,
            values,
            on_event,
            params_path=self._folder / "params.yaml",
            rate=self._options.rate,
        )
        self._counters = Counter(self._load.counters)
        self._events.sort(key=lambda event: event.onset_ns)  # the node answers the newest first
        for event, frame, window in read_event_media(inputs, self._events, config, on_message=self._on_message):
            self._write_pictures(event, result_of(event), frame, window)

    def _record(self, event: EventRecord, timing: Timing) -> None:
        self._events.append(event)
        self._timings.append(timing)

    def _write_pictures(
        self, event: EventRecord, result: CollisionResult, frame: Frame | None, window: AudioWindow | None
    ) -> None:
        true = truth_near(self._truth, event.onset_ns, window_ms=max(WINDOWS_MS))
        write_event_pictures(
            self._folder,
            event.event_id,
            onset_ns=event.onset_ns,
            result=result,
            frame=frame,
            window=window,
            trained=self._trained,
            true_masks=[decode_mask(mask) for mask in true.masks] if true else [],
        )

    def _on_message(self, time_ns: int, block: AudioBlock | None) -> None:
        if block is not None:
            self._envelope.add((block.stamp_ns - self._bag.start_ns) / NS_PER_S, block.samples)
        self._progress((time_ns - self._bag.start_ns) / NS_PER_S, self._bag.duration_s)

    def _shown(self) -> list[ShownEvent]:
        return [
            ShownEvent(frame_ns=event.frame_ns, result=lambda event=event: result_of(event), trained=self._trained)
            for event in self._events
            if event.frame_ns is not None and event.masks
        ]

    def _metrics(
        self, topics: InputTopics, offset: ClockOffset | None, score: BagScore | None, wall_s: float
    ) -> dict[str, Any]:
        bag, events, load = self._bag, self._events, self._load
        drift = offset.drift if offset else None
        return {
            "bag": {
                "path": str(bag.path),
                "duration_s": round(bag.duration_s, 3),
                "topics": {name: topic.num_messages for name, topic in sorted(bag.topics.items())},
                "used": asdict(topics),
            },
            "mode": "live" if self._options.live else "offline",
            "preset": self._options.values["preset"],
            "trained": self._trained,
            "losses": bag.losses,
            "warnings": self._warnings,
            "events": {"count": len(events), "by_reason": dict(Counter(event.reason for event in events))},
            "scores": pooled_metrics([(bag.path.name, score)]) if score else None,
            "latency_ms": summarise_timings(self._timings),
            "clock_offset_s": round(offset.offset_s, 6) if offset else None,
            "clock_drift": {"ppm": round(drift.ppm, 2), "total_s": round(drift.total_s, 6)} if drift else None,
            "counters": dict(self._counters),
            "replay": {"wall_s": round(wall_s, 3), "speed": round(bag.duration_s / wall_s, 3)},
            "live": {"cpu_share": load.cpu_share, "memory_peak_mb": load.memory_peak_mb} if load else None,
            "bag_score": score.as_json() if score else None,
        }

    def _write(self, metrics: dict[str, Any], score: BagScore | None) -> None:
        config = {**run_config(self._bag.path, self._options), "versions": versions()}
        write_lines(self._folder / "events.jsonl", self._events)
        write_lines(self._folder / "timings.jsonl", self._timings)
        for name, content in (("config.json", config), ("metrics.json", metrics)):
            (self._folder / name).write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
        content = ReportContent(
            title=f"Collisions in {self._bag.path.name}",
            events=self._events,
            timings=self._timings,
            envelope=self._envelope,
            duration_s=self._bag.duration_s,
            start_ns=self._bag.start_ns,
            truth=self._truth,
            score=score,
            metrics=metrics,
            config=config,
            trained=self._trained,
        )
        write_report(self._folder, content)


@lru_cache(maxsize=1)
def load_pipeline(preset: str, device: str) -> CollisionPipeline:
    """Builds the pipeline once per process."""
    loaded: Preset = load_preset(preset)
    return build_pipeline(loaded, device=select_device(device))


def _milliseconds(stage_s: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(1000 * seconds, 3) for stage, seconds in stage_s.items()}
