"""The pictures of a replay: an overlay and a spectrogram per event, thumbnails, and plots."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cs3_model.metrics import IOU_THRESHOLDS, success_curve
from cs3_model.overlay import draw_overlay
from cs3_model.types import AudioWindow, BoolMask, CollisionResult, Frame, UInt8Image
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.records import Timing

_SEGMENT_S, _HOP_S = 0.016, 0.004
_RANGE_DB = 70.0
_DPI = 120
_TRUE_COLOUR = (40, 210, 90)


def overlay_path(folder: Path, event_id: int) -> Path:
    """Where the overlay of an event is, if it had an image."""
    return folder / "overlays" / f"event_{event_id:05d}.png"


def spectrogram_path(folder: Path, event_id: int) -> Path:
    """Where the spectrogram of an event is, if it had sound."""
    return folder / "spectrograms" / f"event_{event_id:05d}.png"


def write_event_pictures(
    folder: Path,
    event_id: int,
    *,
    onset_ns: int,
    result: CollisionResult,
    frame: Frame | None,
    window: AudioWindow | None,
    trained: bool,
    true_masks: Sequence[BoolMask] = (),
) -> None:
    """Writes overlay and spectrogram, as far as there are an image and sound; true masks are outlined in green."""
    if frame is not None:
        image = _outlined(frame.image, true_masks)
        overlay = draw_overlay(image, result, window=window, onset_ns=onset_ns, trained=trained)
        _write(overlay_path(folder, event_id), _encode(overlay, ".png"))
    if window is not None:
        _write(spectrogram_path(folder, event_id), _png(_spectrogram(window, onset_ns)))


def shrunk_jpeg(path: Path, width: int) -> bytes:
    """Reads a picture and returns it as JPEG, at most that wide."""
    image = cv2.imread(str(path))
    assert image is not None, path  # this package has written it
    if image.shape[1] > width:
        height = round(image.shape[0] * width / image.shape[1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 85))[1].tobytes()


def latency_plot(timings: Sequence[Timing]) -> bytes:
    """Time in the stages of each event as stacked bars, PNG; with the live latencies as points where there are any."""
    stages = list(dict.fromkeys(stage for timing in timings for stage in timing.stage_ms))
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    ids = np.array([timing.event_id for timing in timings])
    below = np.zeros(len(ids))
    for stage in stages:
        heights = np.array([timing.stage_ms.get(stage, 0.0) for timing in timings])
        axes.bar(ids, heights, bottom=below, width=0.8, label=stage.replace("_", " "))
        below += heights
    live = [(timing.event_id, timing.after_last_sample_ms) for timing in timings if timing.after_last_sample_ms]
    if live:
        axes.plot(*zip(*live, strict=True), "k_", ms=12, mew=2, label="published after the last sample")
    axes.set(xlabel="event", ylabel="time, ms", title="Time per event")
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)
    return _png(figure)


def success_plot(ious: Sequence[float]) -> bytes:
    """The success curve of the masks, PNG."""
    figure = Figure(figsize=(4.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(IOU_THRESHOLDS, 100 * success_curve(ious), "o-", ms=3)
    axes.set(
        xlabel="IoU of the collision at least",
        ylabel="collisions, %",
        xlim=(0, 1),
        ylim=(0, 102),
        title="Success curve",
    )
    axes.grid(alpha=0.3)
    return _png(figure)


def _outlined(image: UInt8Image, masks: Sequence[BoolMask]) -> UInt8Image:
    """A copy with the outlines of those masks that have its size."""
    outlined = image.copy()
    for mask in (mask for mask in masks if mask.shape == image.shape[:2]):
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, outlines, -1, _TRUE_COLOUR, max(2, image.shape[1] // 320), cv2.LINE_AA)
    return outlined


def _spectrogram(window: AudioWindow, onset_ns: int) -> Figure:
    rate_hz = window.sample_rate_hz
    size, hop = round(_SEGMENT_S * rate_hz), round(_HOP_S * rate_hz)
    segments = np.lib.stride_tricks.sliding_window_view(window.samples, size)[::hop] * np.hanning(size)
    levels_db = 20 * np.log10(np.abs(np.fft.rfft(segments)).T + 1e-9)
    begin_s = (window.start_ns - onset_ns) / NS_PER_S
    end_s = begin_s + window.samples.size / rate_hz
    figure = Figure(figsize=(5.0, 2.6), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(
        levels_db - levels_db.max(),
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(begin_s, end_s, 0, rate_hz / 2000),
        vmin=-_RANGE_DB,
        vmax=0.0,
    )
    figure.colorbar(picture, label="dB from the loudest", pad=0.02)
    axes.axvline(0.0, color="white", lw=0.8, ls=":")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set(xlabel="time from the onset, s", ylabel="frequency, kHz")
    return figure


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)  # no pyplot: no display, and no state that outlives this call
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _encode(image: UInt8Image, suffix: str) -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
