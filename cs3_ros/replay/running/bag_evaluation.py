"""One bag from end to end: replayed, scored, and written to a folder of results."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from cs3_model.build import load_preset
from cs3_model.provenance import source_commit
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.reading.bag_inputs import BagInputs, choose_topics
from cs3_ros.replay.reading.clocks import ClockOffset, estimate_clock_offset
from cs3_ros.replay.reading.ground_truth import TrueCollision, read_truth, truth_near
from cs3_ros.replay.records import result_of, summarise_timings, write_lines
from cs3_ros.replay.reporting.findings import find_warnings
from cs3_ros.replay.reporting.pictures import write_event_pictures
from cs3_ros.replay.reporting.recording import write_rerun_recording
from cs3_ros.replay.reporting.report import ReportContent, write_report
from cs3_ros.replay.reporting.scoring import WINDOWS_MS, BagScore, pooled_metrics, score_bag
from cs3_ros.replay.reporting.video import ShownEvent, write_overlay_video
from cs3_ros.replay.rle import decode_mask
from cs3_ros.replay.run_identity import bag_identity, versions
from cs3_ros.replay.running.one_bag import EventPicture, Progress, Replay, replay_bag
from cs3_ros.replay.running.options import EvaluationOptions


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
            metrics = _evaluate(bag, workplace, options, progress)
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
    config: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return config


def _evaluate(bag: RecordedBag, folder: Path, options: EvaluationOptions, progress: Progress) -> dict[str, Any]:
    topics = choose_topics(bag, audio=options.audio_topic, image=options.image_topic)
    recorded = BagInputs(bag, topics, options.values)
    offset = estimate_clock_offset(recorded)
    inputs = _corrected(recorded, options, offset) if options.correct_offset and offset else recorded
    truth = read_truth(bag, options.ground_truth) if options.ground_truth else []

    def draw(picture: EventPicture) -> None:
        _write_pictures(folder, picture, truth)

    replay = replay_bag(inputs, options, params_path=folder / "params.yaml", draw=draw, show=progress)
    score = score_bag(replay.events, truth) if truth else None
    warnings = _write_media(folder, inputs, replay, options)
    warnings += find_warnings(
        refused=inputs.refused,
        counters=replay.counters,
        offset=offset,
        is_corrected=options.correct_offset,
        events=replay.events,
        score=score,
    )
    metrics = _metrics(inputs, options, replay, offset=offset, score=score, warnings=warnings)
    _write(folder, bag, options, replay, truth=truth, score=score, metrics=metrics)
    return metrics


def _corrected(inputs: BagInputs, options: EvaluationOptions, offset: ClockOffset) -> BagInputs:
    """The same bag with its sound shifted onto the clock of the images."""
    drift_ppm = offset.drift.ppm if offset.drift is not None and offset.drift.is_suspicious else 0.0
    if drift_ppm and options.live:
        raise ValueError("the clocks of sound and images drift, and the node corrects no drift: evaluate offline")
    return BagInputs(
        inputs.bag,
        inputs.topics,
        options.values,
        shift_audio_ns=round(offset.offset_s * NS_PER_S),
        drift_audio_ppm=drift_ppm,
    )


def _write_pictures(folder: Path, picture: EventPicture, truth: Sequence[TrueCollision]) -> None:
    true = truth_near(truth, picture.event.onset_ns, window_ms=max(WINDOWS_MS))
    write_event_pictures(
        folder,
        picture.event.event_id,
        onset_ns=picture.event.onset_ns,
        result=picture.result,
        frame=picture.frame,
        window=picture.window,
        trained=picture.trained,
        true_masks=[decode_mask(mask) for mask in true.masks] if true else [],
    )


def _write_media(folder: Path, inputs: BagInputs, replay: Replay, options: EvaluationOptions) -> list[str]:
    """Writes the video and the recording, as far as they are wanted; returns what the reader should know about them."""
    warnings = []
    if options.video:
        shown = [
            ShownEvent(frame_ns=event.frame_ns, result=partial(result_of, event), trained=replay.trained)
            for event in replay.events
            if event.frame_ns is not None and event.masks
        ]
        if not write_overlay_video(inputs.read(), folder / "overlay.mp4", shown):
            warnings.append("no video: the stamps jump, so that sound and images have no common time line")
    if options.rerun:
        path = folder / "recording.rrd"
        write_rerun_recording(path, inputs.read(), replay.events, replay.timings, trained=replay.trained)
    return warnings


def _metrics(
    inputs: BagInputs,
    options: EvaluationOptions,
    replay: Replay,
    *,
    offset: ClockOffset | None,
    score: BagScore | None,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What metrics.json holds."""
    bag, events, load = inputs.bag, replay.events, replay.load
    drift = offset.drift if offset else None
    return {
        "bag": {
            "path": str(bag.path),
            "duration_s": round(bag.duration_s, 3),
            "topics": {name: topic.num_messages for name, topic in sorted(bag.topics.items())},
            "used": asdict(inputs.topics),
        },
        "mode": "live" if options.live else "offline",
        "preset": options.values["preset"],
        "trained": replay.trained,
        "losses": bag.losses,
        "warnings": warnings,
        "events": {"count": len(events), "by_reason": dict(Counter(event.reason for event in events))},
        "scores": pooled_metrics([(bag.path.name, score)]) if score else None,
        "latency_ms": summarise_timings(replay.timings),
        "clock_offset_s": round(offset.offset_s, 6) if offset else None,
        "clock_drift": {"ppm": round(drift.ppm, 2), "total_s": round(drift.total_s, 6)} if drift else None,
        "counters": dict(replay.counters),
        "replay": {"wall_s": round(replay.wall_s, 3), "speed": round(bag.duration_s / replay.wall_s, 3)},
        "live": {"cpu_share": load.cpu_share, "memory_peak_mb": load.memory_peak_mb} if load else None,
        "bag_score": score.as_json() if score else None,
    }


def _write(
    folder: Path,
    bag: RecordedBag,
    options: EvaluationOptions,
    replay: Replay,
    *,
    truth: Sequence[TrueCollision],
    score: BagScore | None,
    metrics: dict[str, Any],
) -> None:
    """Writes the records, the figures and the report."""
    config = {**run_config(bag.path, options), "versions": versions()}
    write_lines(folder / "events.jsonl", replay.events)
    write_lines(folder / "timings.jsonl", replay.timings)
    for name, facts in (("config.json", config), ("metrics.json", metrics)):
        (folder / name).write_text(json.dumps(facts, indent=1, default=str) + "\n", encoding="utf-8")
    content = ReportContent(
        title=f"Collisions in {bag.path.name}",
        events=replay.events,
        timings=replay.timings,
        envelope=replay.envelope,
        duration_s=bag.duration_s,
        start_ns=bag.start_ns,
        truth=truth,
        score=score,
        metrics=metrics,
        config=config,
        trained=replay.trained,
    )
    write_report(folder, content)
