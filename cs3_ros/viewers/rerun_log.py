"""What a perception node saw, heard and decided, written to Rerun on one timeline. Needs rerun-sdk, but no ROS.

=====================  =====================================================================================
entity                 what
=====================  =====================================================================================
camera/image           the images
camera/collision/...   for half a second from the image that was used: masks, boxes, points of contact
camera/rejected        as long: the boxes of the other candidates
sound/waveform         the lowest and the highest sample of every 2.5 ms
sound/onset            a mark at each onset
latency/...            time after the last needed audio, and of each stage, ms
events                 one line per onset
=====================  =====================================================================================

All are on the timeline ``stamp``, the time of the message headers. Results may be written long after their image.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cs3_model.overlay import role_colour, role_name
from cs3_model.types import Candidate, CollisionResult, Float32Array, Role, UInt8Image, Verdict

TIMELINE = "stamp"
_VIEWER_PORT = 9876
_VIEWER_URL = f"rerun+http://127.0.0.1:{_VIEWER_PORT}/proxy"
_SHOWN_NS = 500_000_000
_BINS_HZ = 400
_WAVEFORM_ROWS = 200  # at a time, because viewers suffer from many small pieces
_NS_PER_S = 1_000_000_000
_JPEG_QUALITY = 85
_GREY = (190, 190, 190)
_CLASSES = {role_colour(role): number for number, role in enumerate(Role, start=1)}


def open_rerun_log(*, save: Path | None = None, connect: str | None = None) -> RerunLog:
    """Begins a recording.

    Args:
        save: File (.rrd) to write.
        connect: URL of a viewer that runs already, for instance ``rerun+http://127.0.0.1:9876/proxy``. With neither,
            a viewer is started.

    Raises:
        ValueError: if both are given, rerun-sdk cannot be imported, or there is no viewer or no such folder.
    """
    if save is not None and connect is not None:
        raise ValueError("choose one of save and connect: a recording has one destination")
    rerun = import_rerun()
    recording = rerun.RecordingStream("cs3")
    try:
        if save is not None:
            recording.save(str(save))
        elif connect is not None:
            recording.connect_grpc(connect)
        else:
            _start_viewer()
            recording.connect_grpc(_VIEWER_URL)
    except Exception as error:  # rerun raises RuntimeError, OSError and others
        raise ValueError(f"cannot open the Rerun recording: {error}") from error
    return RerunLog(recording)


def _start_viewer() -> None:
    """Starts a viewer that listens on the loopback interface alone; left to itself it listens on all of them."""
    command = [sys.executable, "-m", "rerun", "--bind", "127.0.0.1", "--port", str(_VIEWER_PORT), "--expect-data-soon"]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


class RerunLog:
    """Writes to one recording. Not thread-safe.

    Args:
        recording: A `rerun.RecordingStream` that has its destination.
    """

    def __init__(self, recording: Any) -> None:
        self._rerun = import_rerun()
        self._recording = recording
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        recording.send_blueprint(_blueprint())
        self._log_styles()

    def close(self) -> None:
        """Writes what is left and ends the recording."""
        self._send_waveform()
        self._recording.flush()
        self._recording.disconnect()

    def log_image(self, image: UInt8Image, *, stamp_ns: int) -> None:
        """Writes one image, RGB uint8 [H, W, 3], as JPEG."""
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        contents = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))[1].tobytes()
        self._log(stamp_ns, "camera/image", self._rerun.EncodedImage(contents=contents, media_type="image/jpeg"))

    def log_audio(self, samples: Float32Array, *, sample_rate_hz: int, stamp_ns: int) -> None:
        """Writes the outline of a block of sound, float32 [T] or [T, C] in [-1, 1], whose first sample is at `stamp_ns`."""
        self._waiting.append(outline(samples, sample_rate_hz=sample_rate_hz, stamp_ns=stamp_ns))
        if sum(times_ns.size for times_ns, _ in self._waiting) >= _WAVEFORM_ROWS:
            self._send_waveform()

    def log_result(
        self,
        result: CollisionResult,
        *,
        onset_ns: int,
        frame_stamp_ns: int,
        strength_db: float,
        latency_s: float | None,
        trained: bool,
    ) -> None:
        """Writes how one onset ended.

        Args:
            result: What was found.
            onset_ns: Time of the onset, nanoseconds.
            frame_stamp_ns: Time of the image that was used, nanoseconds; without candidates it does not matter.
            strength_db: Strength of the onset, dB.
            latency_s: From the arrival of the last needed audio to the answer, seconds; None where nothing arrives.
            trained: Whether all networks have trained weights.
        """
        rerun = self._rerun
        self._log(onset_ns, "sound/onset", rerun.Scalars(0.0))
        if latency_s is not None:
            self._log(onset_ns, "latency/after_last_audio_ms", rerun.Scalars(1e3 * latency_s))
        for stage, seconds in result.stage_s.items():
            self._log(onset_ns, f"latency/{stage}_ms", rerun.Scalars(1e3 * seconds))
        verdict = result.verdict.name.lower().replace("_", " ")
        warning = "" if trained else "  [random weights: the masks mean nothing]"
        text = f"onset {strength_db:.0f} dB: {verdict} ({result.reason}): {result.detail}{warning}"
        level = "WARN" if result.verdict is Verdict.NONE or not trained else "INFO"
        self._log(onset_ns, "events", rerun.TextLog(text, level=level))
        if result.masks or result.rejected:
            self._log_candidates(result, frame_stamp_ns)

    def _send_waveform(self) -> None:
        if not self._waiting:
            return
        times_ns, values = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._recording.send_columns(
            "sound/waveform",
            indexes=[self._rerun.TimeColumn(TIMELINE, timestamp=times_ns.view("datetime64[ns]"))],
            columns=self._rerun.Scalars.columns(scalars=values),
        )

    def _log_styles(self) -> None:
        """Writes colours, names and markers, which hold at any time."""
        rerun = self._rerun
        roles = [(_CLASSES[role_colour(role)], role_name(role), (*role_colour(role), 255)) for role in Role]
        background = (0, "", (0, 0, 0, 0))
        legend = rerun.AnnotationContext([rerun.AnnotationInfo(*row) for row in (background, *roles)])
        mark = rerun.SeriesPoints(colors=[255, 80, 80], markers="diamond", marker_sizes=6.0, names="onset")
        extremes = rerun.components.AggregationPolicy.MinMax  # by default a view from afar shows the mean
        line = rerun.SeriesLines(colors=[120, 200, 160], names="sound", aggregation_policy=extremes)
        for entity, style in (("camera", legend), ("sound/onset", mark), ("sound/waveform", line)):
            self._recording.log(entity, style, static=True)

    def _log_candidates(self, result: CollisionResult, stamp_ns: int) -> None:
        rerun = self._rerun
        for entity in ("camera/collision", "camera/rejected"):
            self._log(stamp_ns, entity, rerun.Clear(recursive=True))
            self._log(stamp_ns + _SHOWN_NS, entity, rerun.Clear(recursive=True))
        for number, candidate in enumerate(result.masks):
            colour = role_colour(candidate.role)
            entity = f"camera/collision/{number}"
            labels = candidate.mask * np.uint8(_CLASSES[colour])
            self._log(stamp_ns, f"{entity}/mask", rerun.SegmentationImage(labels, opacity=0.5))
            self._log(stamp_ns, f"{entity}/box", self._boxes([candidate], colour))
            if candidate.contact_xy is not None:
                point = rerun.Points2D([candidate.contact_xy], colors=[255, 255, 255], radii=-4.0)  # pixels of the view
                self._log(stamp_ns, f"{entity}/contact", point)
        if result.rejected:
            self._log(stamp_ns, "camera/rejected/boxes", self._boxes(result.rejected, _GREY))

    def _boxes(self, candidates: Sequence[Candidate], colour: tuple[int, int, int]) -> Any:
        return self._rerun.Boxes2D(
            array=[candidate.box_xyxy for candidate in candidates],
            array_format=self._rerun.Box2DFormat.XYXY,
            labels=[f"{role_name(candidate.role)} {candidate.score:.2f}" for candidate in candidates],
            colors=[colour] * len(candidates),
        )

    def _log(self, stamp_ns: int, entity: str, data: Any) -> None:
        self._recording.set_time(TIMELINE, timestamp=np.datetime64(stamp_ns, "ns"))
        self._recording.log(entity, data)


def import_rerun() -> Any:
    """Returns the module `rerun`.

    Raises:
        ValueError: if rerun-sdk cannot be imported.
    """
    try:
        import rerun
    except ImportError as error:
        raise ValueError(f"rerun-sdk cannot be imported ({error}): pip install 'rerun-sdk>=0.23'") from error
    return rerun


def outline(samples: Float32Array, *, sample_rate_hz: int, stamp_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest sample of every 2.5 ms, in turn: what a line of the sound looks like from afar.

    Args:
        samples: float32 [T] or [T, C]; channels are averaged.
        sample_rate_hz: Their rate.
        stamp_ns: Time of the first one, nanoseconds.

    Returns:
        Times, int64 nanoseconds [2N], and values [2N].
    """
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    step = max(1, round(sample_rate_hz / _BINS_HZ))
    starts = np.arange(0, mono.size, step)
    values = np.stack([np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)], axis=1)
    first_ns = starts * _NS_PER_S // sample_rate_hz
    half_ns = step * _NS_PER_S // (2 * sample_rate_hz)
    return stamp_ns + np.stack([first_ns, first_ns + half_ns], axis=1).ravel(), values.ravel()


def _blueprint() -> Any:
    """How a viewer arranges the recording at first."""
    import_rerun()
    import rerun.blueprint as layout

    plots = layout.Vertical(
        layout.TimeSeriesView(origin="sound", name="Sound and onsets"),
        layout.TimeSeriesView(origin="latency", name="Latency (ms)"),
        layout.TextLogView(origin="events", name="Events"),
    )
    camera = layout.Spatial2DView(origin="camera", name="Camera and masks")
    return layout.Blueprint(layout.Horizontal(camera, plots, column_shares=[3, 2]), collapse_panels=True)
