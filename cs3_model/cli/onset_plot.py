"""The picture of ``cs3 onsets --plot``: waveform, spectrogram and onsets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cs3_model.media import NS_PER_S
from cs3_model.onset import OnsetState

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cs3_model.cli.sound import Onset

_COLUMN_S = 0.01
_NUM_BANDS = 96
_MIN_HZ, _MAX_HZ = 80.0, 16_000.0
_FLOOR_DB = -100.0
_COLOURS = {OnsetState.CONFIRMED: "#d62728", OnsetState.WITHDRAWN: "#8c8c8c"}


class OnsetPlot:
    """Collects what the picture needs while the file streams by: one column of bytes per 10 ms."""

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._extremes: list[tuple[float, float]] = []
        self._levels: list[npt.NDArray[np.uint8]] = []
        self._onsets: list[Onset] = []
        self._rest = np.empty(0, dtype=np.float32)
        self._rate_hz = 0

    def hear(self, samples: npt.NDArray[np.float32], time_s: float, rate_hz: int) -> None:
        """Adds the next samples, mono [T], the first of which is at `time_s`."""
        if rate_hz != self._rate_hz:
            self._rest = self._rest[:0]
            self._rate_hz = rate_hz
        time_s -= len(self._rest) / rate_hz
        samples = np.concatenate([self._rest, samples])
        width = round(_COLUMN_S * rate_hz)
        num_columns = len(samples) // width
        columns = samples[: num_columns * width].reshape(num_columns, width)
        self._rest = samples[num_columns * width :]
        if num_columns == 0:
            return
        self._times_s += (time_s + np.arange(num_columns) * width / rate_hz).tolist()
        self._extremes += zip(columns.min(1).tolist(), columns.max(1).tolist(), strict=True)
        self._levels += list(_band_levels(columns, rate_hz))

    def mark(self, onset: Onset) -> None:
        """Adds an onset."""
        self._onsets.append(onset)

    def save(self, path: Path, title: str) -> None:
        """Draws everything heard so far.

        Raises:
            OSError: if the picture cannot be written.
            ValueError: if matplotlib is not installed, or the suffix is no picture format.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ValueError("--plot needs matplotlib: pip install matplotlib") from None

        times_s = np.array(self._times_s)
        duration_s = max(float(times_s[-1] - times_s[0]), 0.1) if len(times_s) else 0.1
        figure = Figure(figsize=(float(np.clip(1.6 * duration_s, 10, 30)), 5.2), layout="constrained")
        wave, spectrogram = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
        low, high = np.array(self._extremes).T
        wave.fill_between(times_s, low, high, step="post", color="#1f4e79", linewidth=0)
        limit = 1.15 * max(float(np.abs([low, high]).max()), 1e-3)
        wave.set(ylabel="amplitude", ylim=(-limit, limit), title=title)
        levels_db = np.array(self._levels).T / 2.0 + _FLOOR_DB
        top_db = float(levels_db.max())
        spectrogram.pcolormesh(
            np.append(times_s, times_s[-1] + _COLUMN_S),
            np.geomspace(_MIN_HZ, _MAX_HZ, _NUM_BANDS + 1) / 1000,
            levels_db,
            cmap="magma",
            vmin=max(_FLOOR_DB, top_db - 70),
            vmax=top_db,
            rasterized=True,
        )
        spectrogram.set(yscale="log", ylabel="frequency (kHz)", xlabel="time (s)")
        ticks_khz = (0.1, 0.3, 1, 3, 10)
        spectrogram.set_yticks(ticks_khz, [f"{tick:g}" for tick in ticks_khz])
        spectrogram.minorticks_off()
        wave.margins(x=0)
        self._draw_onsets(wave, spectrogram)
        figure.savefig(path, dpi=120)

    def _draw_onsets(self, wave: Axes, spectrogram: Axes) -> None:
        handles = []
        for state, colour in _COLOURS.items():
            times_s = [onset.time_ns / NS_PER_S for onset in self._onsets if onset.state is state]
            style = "-" if state is OnsetState.CONFIRMED else ":"
            for time_s in times_s:
                wave.axvline(time_s, color=colour, linestyle=style, linewidth=1.2)
            marks = spectrogram.plot(
                times_s,
                [_MAX_HZ / 1000 * 0.8] * len(times_s),
                "v",
                color=colour,
                markeredgecolor="white",
                markersize=8,
                clip_on=False,
                label=f"{len(times_s)} {state.value}",
            )
            handles += marks
        wave.legend(handles=handles, loc="upper right", ncols=2, framealpha=0.9, fontsize="small")


def _band_levels(columns: npt.NDArray[np.float32], rate_hz: int) -> npt.NDArray[np.uint8]:
    """Level per column and logarithmic band, in half decibels above the floor, [columns, bands]."""
    width = columns.shape[1]
    size = 4 * width
    power = np.abs(np.fft.rfft(columns * np.hanning(width) * (4 / width), size, axis=1)) ** 2
    bin_hz = rate_hz / size
    centres_hz = np.geomspace(_MIN_HZ, _MAX_HZ, _NUM_BANDS)
    bins = np.clip(np.round(centres_hz / bin_hz).astype(int), 0, power.shape[1] - 1)
    levels_db = 10 * np.log10(power[:, bins] + 1e-12)
    levels_db[:, centres_hz > rate_hz / 2] = _FLOOR_DB
    return np.clip(2 * (levels_db - _FLOOR_DB), 0, 255).astype(np.uint8)
