"""The report of one bag: a single HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from cs3_model.overlay import VERDICT_WORDS
from cs3_model.types import Verdict
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.reading.envelope import Envelope
from cs3_ros.replay.reading.ground_truth import TrueCollision
from cs3_ros.replay.records import EventRecord, Timing
from cs3_ros.replay.reporting.pictures import latency_plot, overlay_path, shrunk_jpeg, spectrogram_path, success_plot
from cs3_ros.replay.reporting.scoring import BagScore

_MOST_SHOWN = 300
"""Events with pictures; a browser holds no more of them well."""
_OVERLAY_WIDTH = 720
_THUMBNAIL_WIDTH, _THUMBNAIL_HEIGHT, _THUMBNAIL_GAP = 156, 140, 6
_PX_PER_S, _NARROWEST_PX, _WIDEST_PX = 40, 1060, 20_000
_WAVE_HEIGHT, _LABEL_PX = 90, 60


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
        "verdict": VERDICT_WORDS[Verdict(event.verdict)],
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

    seen = [event for event in content.events if overlay_path(folder, event.event_id).exists()]
    places = place_side_by_side([x(event.onset_ns) for event in seen], _THUMBNAIL_WIDTH, _THUMBNAIL_GAP, width)
    thumbnails = [
        {
            "event_id": event.event_id,
            "x": left,
            # Twice the size, for screens with small pixels.
            "picture": _data_url("image/jpeg", shrunk_jpeg(overlay_path(folder, event.event_id), 2 * _THUMBNAIL_WIDTH)),
        }
        for event, left in zip(seen, places, strict=True)
        if left is not None
    ]
    return {
        "width": width,
        "wave_height": _WAVE_HEIGHT,
        "thumbnail_width": _THUMBNAIL_WIDTH,
        "thumbnail_height": _THUMBNAIL_HEIGHT,
        "peak": _peak(content.envelope),
        "wave": _wave_path(content.envelope, width / duration_s),
        "onsets": [{"x": x(event.onset_ns), "event": event} for event in content.events],
        "truth": [x(collision.onset_ns) for collision in content.truth],
        "thumbnails": thumbnails,
        "ticks": [_tick(s, s / duration_s * width, width) for s in _ticks_s(duration_s, width)],
    }


def place_side_by_side(centres: Sequence[float], width: float, gap: float, total: float) -> list[float | None]:
    """Where to put boxes near their centres, which ascend: left edges, None for those without room.

    A box moves so far that its centre remains above or below it.
    """
    places: list[float | None] = []
    free = 0.0
    for centre in centres:
        left = max(centre - width / 2, free)
        places.append(left if left <= centre else None)
        free = left + width + gap if left <= centre else free
    free = total
    for index, place in reversed(list(enumerate(places))):
        if place is not None:
            left = min(place, free - width)
            is_near = left >= 0.0 and centres[index] <= left + width
            places[index] = left if is_near else None
            free = left - gap if is_near else free
    return places


def _peak(envelope: Envelope) -> float:
    return max(float(np.abs(envelope.high).max(initial=0.0)), float(np.abs(envelope.low).max(initial=0.0)), 1e-6)


def _wave_path(envelope: Envelope, px_per_s: float) -> str:
    """The outline as the points of a polygon, scaled to its loudest sample."""
    middle, scale = _WAVE_HEIGHT / 2, _WAVE_HEIGHT / 2 / _peak(envelope)
    step = envelope.span_s * px_per_s
    above = [f"{index * step:.1f},{middle - value * scale:.1f}" for index, value in enumerate(envelope.high)]
    below = [f"{index * step:.1f},{middle - value * scale:.1f}" for index, value in enumerate(envelope.low)]
    return " ".join(above + below[::-1])


def _ticks_s(duration_s: float, width: int) -> np.ndarray:
    """Round times, at least a label apart."""
    apart_s = _LABEL_PX * duration_s / width
    step_s = next(step for step in (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600, 36_000, 1e9) if step >= apart_s)
    return np.arange(0.0, duration_s, step_s)


def _tick(time_s: float, x: float, width: int) -> dict[str, Any]:
    """Its label lies within the drawing at both ends."""
    anchor = "start" if x < _LABEL_PX / 2 else "end" if x > width - _LABEL_PX / 2 else "middle"
    return {"x": round(x, 1), "label": f"{time_s:g} s", "anchor": anchor}


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
            found = f"{counts['hits']} of {counts['hits'] + counts['missed']} found, {counts['spurious']} spurious"
            shares = f"F {counts['f_measure']:.3f}, precision {counts['precision']:.3f}, recall {counts['recall']:.3f}"
            rows.append((f"onsets within {window.replace('_', ' ')}", f"{found}: {shares}"))
        for key, name in (("masks", "all true collisions"), ("masks_of_found_onsets", "those whose onset was found")):
            if masks := scores[key]:
                pair = f", exact pairs {_percent(masks['exact_pair'])}" if masks["exact_pair"] is not None else ""
                figures = f"mIoU {_percent(masks['iou']['mean'])}, AUC {_percent(masks['auc']['mean'])}{pair}"
                rows.append((f"masks of {name} ({masks['num_samples']})", figures))
        unseen = scores["not_in_view"]
        if num_unseen := unseen["heard"] + unseen["missed"]:
            said = f"{unseen['heard']} heard, {unseen['without_masks']} of them answered without a mask"
            rows.append((f"collisions out of view ({num_unseen})", said))
    for key, summary in metrics["latency_ms"].items():
        figures = ", ".join(f"{name} {value:.0f} ms" for name, value in summary.items() if name.startswith("p"))
        rows.append((key.replace("_", " "), figures))
    if (offset_s := metrics["clock_offset_s"]) is not None:
        drift = metrics["clock_drift"]
        moves = f", {1e3 * drift['total_s']:+.0f} ms over the bag ({drift['ppm']:+.1f} ppm)" if drift else ""
        rows.append(
            ("clock of the images minus that of the sound", f"{1e3 * offset_s:+.0f} ms at the beginning{moves}")
        )
    if live := metrics["live"]:
        rows.append(("node", f"{100 * live['cpu_share']:.0f} % of one core, {live['memory_peak_mb']:.0f} MiB at most"))
    else:
        rows.append(("replay", f"{metrics['replay']['speed']:.1f} x real time, {metrics['replay']['wall_s']:.1f} s"))
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
