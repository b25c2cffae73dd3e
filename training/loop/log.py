"""The one log of a training run: points for TensorBoard, and a picture drawn from them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

LOSS = "loss/"
"""Tags of losses begin with this."""


class CurveLog:
    """Writes points of curves.

    Args:
        folder: where TensorBoard looks for them; None writes nothing.
        start: steps done; points after it, which an interrupted run wrote after its last checkpoint, are dropped.
    """

    def __init__(self, folder: Path | None, start: int) -> None:
        self._folder, self._writer = folder, None
        if folder is not None:
            _await_new_second(folder)
            self._writer = SummaryWriter(str(folder), purge_step=start + 1)

    def write(self, step: int, points: Mapping[str, float]) -> None:
        """Adds a point to each curve, by tag.

        Raises:
            ValueError: if the disk is full: one line.
        """
        with self._one_line():
            for tag, value in points.items():
                if self._writer is not None:
                    self._writer.add_scalar(tag, value, step)

    def flush(self) -> None:
        """Brings what was written to the disk.

        Raises:
            ValueError: if it is full: one line.
        """
        with self._one_line():
            if self._writer is not None:
                self._writer.flush()

    def close(self) -> None:
        """Ends the log; on a full disk its last points are lost."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ValueError(f"{self._folder} cannot be written: {error.strerror}") from None


def read_curve(folder: Path, tag: str) -> dict[int, float]:
    """Reads one curve of a log: values by step.

    Raises:
        KeyError: if there is no such curve.
    """
    return _points(_events(folder), tag)


def draw_losses(folder: Path, path: Path) -> None:
    """Draws the losses of a log, one line each, smoothed as in TensorBoard, as PNG.

    Args:
        folder: of the log.
        path: of the picture.
    """
    events = _events(folder)
    figure = Figure(figsize=(6.0, 3.5), layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: no display, and no state that outlives this call
    axes = figure.subplots()
    for tag in (tag for tag in events.Tags()["scalars"] if tag.startswith(LOSS)):
        points = _points(events, tag)
        axes.plot(list(points), _smoothed(list(points.values())), label=tag.removeprefix(LOSS))
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=120)


def _events(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def _points(events: EventAccumulator, tag: str) -> dict[int, float]:
    return {point.step: point.value for point in events.Scalars(tag)}


def _smoothed(values: list[float], weight: float = 0.6) -> list[float]:
    """Returns the exponential moving average, which starts at the first value."""
    smoothed: list[float] = []
    for value in values:
        smoothed.append(value if not smoothed else weight * smoothed[-1] + (1 - weight) * value)
    return smoothed


def _await_new_second(folder: Path) -> None:
    """TensorBoard orders files by the second in their names; two of one second could be read the wrong way round."""
    seconds = [int(path.name.split(".")[3]) for path in folder.glob("events.out.tfevents.*")]
    if seconds and max(seconds) == int(time.time()):
        time.sleep(1.0 - time.time() % 1.0)
