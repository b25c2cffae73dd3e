"""A replay as a recording of Rerun: images, masks, sound, onsets and times on the time line of the stamps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cs3_model.types import AudioBlock
from cs3_ros.replay.reading.bag_inputs import Item
from cs3_ros.replay.records import EventRecord, Timing, result_of
from cs3_ros.viewers.rerun_log import open_rerun_log


def write_rerun_recording(
    path: Path,
    items: Iterable[tuple[int, Item]],
    events: Sequence[EventRecord],
    timings: Sequence[Timing],
    *,
    trained: bool,
) -> None:
    """Writes a .rrd file.

    Args:
        path: File to write.
        items: What `BagInputs.read` yields; all images are decoded.
        events: What was found.
        timings: How long it took, of each event.
        trained: Whether the masks mean anything.

    Raises:
        ValueError: if rerun-sdk cannot be imported.
    """
    log = open_rerun_log(save=path)
    try:
        for _, item in items:
            if isinstance(item, AudioBlock):
                log.log_audio(item.samples, sample_rate_hz=item.sample_rate_hz, stamp_ns=item.stamp_ns)
                continue
            try:
                image = item.decode_image()
            except Exception:  # decoders have exceptions of their own; the event, if any, has reported it
                continue
            log.log_image(image, stamp_ns=item.stamp_ns)
        timing_of = {timing.event_id: timing for timing in timings}
        for event in events:
            timing = timing_of[event.event_id]
            latency_ms = timing.after_last_sample_ms
            log.log_result(
                replace(result_of(event), stage_s={name: ms / 1000 for name, ms in timing.stage_ms.items()}),
                onset_ns=event.onset_ns,
                frame_stamp_ns=event.frame_ns if event.frame_ns is not None else event.onset_ns,
                strength_db=event.strength_db,
                latency_s=latency_ms / 1000 if latency_ms is not None else None,
                trained=trained,
            )
    finally:
        log.close()
