"""The report of one bag: a single HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from cs3_model.types import Verdict
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.envelope import Envelope
from cs3_ros.replay.pictures import latency_plot, overlay_path, shrunk_jpeg, spectrogram_path, success_plot
from cs3_ros.replay.records import EventRecord, Timing
from cs3_ros.replay.scoring import BagScore
from cs3_ros.replay.truth import TrueCollision

_MOST_SHOWN = 300
"""Events with pictures; a browser holds no more of them well."""
_OVERLAY_WIDTH, _THUMBNAIL_WIDTH = 720, 120
_PX_PER_S, _NARROWEST_PX, _WIDEST_PX = 40, 1060, 20_000
_WAVE_HEIGHT = 90
_VERDICTS = {Verdict.NONE: "no masks", Verdict.ONE_OBJECT: "one object", Verdict.TWO_OBJECTS: "two objects"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReportContent:
    """Everything that a report tells."""

    title: str
    events: Sequence[EventRecord]
    timings: Sequence[Timing]
    envelope: Envelope
    duration_s: float
    start_ns: int
    truth: Sequence[TrueCollision]
    score: BagScore | None
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]
    trained: bool


def write_report(folder: Path, content: ReportContent) -> None:
    """Writes report.html of the result folder `folder`, with the pictures that lie there."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    shown = content.events[:_MOST_SHOWN]
    timing_of = {timing.event_id: timing for timing in content.timings}
    matched = {score.event_id: score.score.iou for score in content.score.collisions} if content.score else {}
    page = environment.get_template("report.html").render(
        content=content,
        metrics=content.metrics,
        cards=[_card(folder, event, timing_of.get(event.event_id), matched.get(event.event_id)) for event in shown],
        num_hidden=len(content.events) - len(shown),
        timeline=_timeline(folder, content),
        plots=_plots(content),
        scores=_scores(content.metrics),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _card(folder: Path, event: EventRecord, timing: Timing | None, iou: float | None) -> dict[str, Any]:
    overlay, spectrogram = overlay_path(folder, event.event_id), spectrogram_path(folder, event.event_id)
    return {
        "event": event,
        "verdict": _VERDICTS[Verdict(event.verdict)],
        "candidates": [(True, mask) for mask in event.masks] + [(False, mask) for mask in event.rejected],
        "overlay": _data_url("image/jpeg", shrunk_jpeg(overlay, _OVERLAY_WIDTH)) if overlay.exists() else None,
        "spectrogram": _data_url("image/jpeg", shrunk_jpeg(spectrogram, _OVERLAY_WIDTH))
        if spectrogram.exists()
        else None,
        "frame_offset_ms": (event.frame_ns - event.onset_ns) / 1e6 if event.frame_ns is not None else None,
        "timing": timing,
        "total_ms": sum(timing.stage_ms.values()) if timing else 0.0,
        "iou": iou,
    }


def _timeline(folder: Path, content: ReportContent) -> dict[str, Any]:
    duration_s = max(content.duration_s, 1e-3)
    width = int(np.clip(duration_s * _PX_PER_S, _NARROWEST_PX, _WIDEST_PX))

    def x(time_ns: int) -> float:
        return round((time_ns - content.start_ns) / NS_PER_S / duration_s * width, 1)

    thumbnails, free_px = [], 0.0
    for event in content.events:
        path, left = overlay_path(folder, event.event_id), x(event.onset_ns) - _THUMBNAIL_WIDTH / 2
        if left >= free_px and path.exists():
            picture = _data_url("image/jpeg", shrunk_jpeg(path, _THUMBNAIL_WIDTH))
            thumbnails.append({"event_id": event.event_id, "x": left, "picture": picture})
            free_px = left + _THUMBNAIL_WIDTH + 4
    return {
        "width": width,
        "wave_height": _WAVE_HEIGHT,
        "thumbnail_width": _THUMBNAIL_WIDTH,
        "wave": _wave_path(content.envelope, width / duration_s),
        "onsets": [{"x": x(event.onset_ns), "event": event} for event in content.events],
        "truth": [x(collision.onset_ns) for collision in content.truth],
        "thumbnails": thumbnails,
        "ticks": [{"x": round(s / duration_s * width, 1), "label": f"{s:g} s"} for s in _ticks_s(duration_s, width)],
    }


def _wave_path(envelope: Envelope, px_per_s: float) -> str:
    """The outline as the points of a polygon, scaled to its loudest sample."""
    peak = max(float(np.abs(envelope.high).max(initial=0.0)), float(np.abs(envelope.low).max(initial=0.0)), 1e-6)
    middle, scale = _WAVE_HEIGHT / 2, _WAVE_HEIGHT / 2 / peak
    step = envelope.span_s * px_per_s
    above = [f"{index * step:.1f},{middle - value * scale:.1f}" for index, value in enumerate(envelope.high)]
    below = [f"{index * step:.1f},{middle - value * scale:.1f}" for index, value in enumerate(envelope.low)]
    return " ".join(above + below[::-1])


def _ticks_s(duration_s: float, width: int) -> np.ndarray:
    """Round times, at least 60 pixels apart."""
    apart_s = 60 * duration_s / width
    step_s = next(step for step in (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600, 36_000, 1e9) if step >= apart_s)
    return np.arange(0.0, duration_s, step_s)


def _plots(content: ReportContent) -> list[str]:
    plots = [latency_plot(content.timings)] if any(timing.stage_ms for timing in content.timings) else []
    if content.score and content.score.collisions:
        plots.append(success_plot([collision.score.iou for collision in content.score.collisions]))
    return [_data_url("image/png", plot) for plot in plots]


def _scores(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The main figures in words."""
    rows: list[tuple[str, str]] = []
    if scores := metrics["scores"]:
        for window, counts in scores["onsets"].items():
            figures = f"F {counts['f_measure']:.3f}, precision {counts['precision']:.3f}, recall {counts['recall']:.3f}"
            rows.append((f"onsets within {window.replace('_', ' ')}", figures))
        for key, name in (("masks", "all true collisions"), ("masks_of_found_onsets", "those whose onset was found")):
            if masks := scores[key]:
                pair = f", exact pairs {masks['exact_pair']:.1%}" if masks["exact_pair"] is not None else ""
                figures = f"mIoU {masks['iou']['mean']:.1%}, AUC {masks['auc']['mean']:.1%}{pair}"
                rows.append((f"masks of {name} ({masks['num_samples']})", figures))
    for key, summary in metrics["latency_ms"].items():
        figures = ", ".join(f"{name} {value:.0f} ms" for name, value in summary.items() if name.startswith("p"))
        rows.append((key.replace("_", " "), figures))
    if live := metrics["live"]:
        rows.append(("node", f"{live['cpu_share']:.0%} of one core, {live['memory_peak_mb']:.0f} MiB at most"))
    else:
        rows.append(("replay", f"{metrics['replay']['speed']:.1f} x real time, {metrics['replay']['wall_s']:.1f} s"))
    return rows


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
